"""The long random run in its short form, another one each time; `tests/crash/soak.py --minutes N` is the long one."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import postgres

MINUTES = 1.0


@pytest.mark.slow
@pytest.mark.skipif(not postgres.available(), reason="PostgreSQL is not installed")
def test_nothing_acknowledged_is_lost_and_nothing_is_left() -> None:
    """W13, W20 and W33, together and under faults."""
    command = [sys.executable, str(Path(__file__).with_name("soak.py")), "--minutes", str(MINUTES)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
