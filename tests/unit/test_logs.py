"""Logs on a disk that is full."""

import subprocess
import sys
from pathlib import Path

WORK = """
import structlog
from pileus.core import logs
logs.configure()
for number in range(3000):
    structlog.get_logger().info("a line", number=number)
print("the work is done")
"""


def test_work_goes_on_where_its_log_cannot_be_written() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", WORK], stdout=subprocess.PIPE, stderr=full, text=True, timeout=60)
    assert done.stdout == "the work is done\n"
