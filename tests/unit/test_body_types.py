"""msgspec crashes where two threads use a type for the first time at once: every type is used before there are threads."""

import subprocess
import sys

RACE = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from pileus.cloud import services
from pileus.core import body
from pileus.core.version import FIRST
from tests.support.api import make_app
sys.setswitchinterval(1e-6)
make_app(services())
kinds = [kind for s in services() for r in s.routes for kind in (r.body_type, r.query_type) if isinstance(kind, type)]
together = threading.Barrier(16)
def use(_):
    together.wait()
    for kind in kinds:
        try:
            body.convert({}, kind, FIRST, "compute")
        except Exception:
            pass
with ThreadPoolExecutor(16) as pool:
    list(pool.map(use, range(16)))
"""


def test_many_threads_may_use_them_at_once() -> None:
    assert subprocess.run([sys.executable, "-c", RACE]).returncode == 0
