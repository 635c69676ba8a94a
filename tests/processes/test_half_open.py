"""A process whose machine is lost in the middle of a transaction: PostgreSQL hears nothing, and must let go of its locks."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.support import postgres

WORK = """
import os, subprocess, threading, time
import sqlalchemy as sa
from pileus.core.db import Database
from tests.crash.soak_faults import postgres_by_tcp

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
server, url = postgres_by_tcp()
port = sa.make_url(url).port
lost, other = Database(url), Database(f"postgresql+psycopg://pileus@/cloud?host={server.directory}&port={port}")
with lost.write() as tx:
    tx.execute(sa.text("CREATE TABLE thing AS SELECT 1 AS id"))

def take():
    with other.write() as tx:
        tx.execute(sa.text("UPDATE thing SET id = 3"))
    print("free", flush=True)

with lost.engine.connect() as connection:
    connection.execute(sa.text("UPDATE thing SET id = 2"))
    silence = f"add table inet t; add chain inet t out {{ type filter hook output priority 0; }}; add rule inet t out tcp dport {port} drop"
    subprocess.run(["nft", silence], check=True)
    taking = threading.Thread(target=take, daemon=True)
    taking.start()
    taking.join(60)
    server.close()
    os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("nft") or not postgres.available(), reason="needs root, nftables, PostgreSQL"
)
def test_the_locks_of_a_lost_machine_are_free_within_a_minute() -> None:
    done = subprocess.run(
        ["unshare", "--net", "--", sys.executable, "-c", WORK], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "free\n", f"{done.stdout}{done.stderr}"
