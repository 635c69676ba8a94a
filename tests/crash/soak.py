#!/usr/bin/env python3
"""A long random run: clients do what users do while processes, the database, disks and connections fail every few seconds.

    tests/crash/soak.py --minutes 10 [--seed 7] [--clients 16] [--database URL]

The cloud is `pileus up --sim` with several hosts, `pileus api --processes 2` and two `pileus controller` on PostgreSQL: one
of the run's own, or the one at URL (an empty database), which then is neither restarted nor cut off. As root it takes
namespaces of its own for the network and mounts, where connections are cut and the disk is filled; otherwise it does
without these faults.

Every minute the faults stop, all must settle, and what the clients were told is compared with what is there; in the end
all is deleted, and nothing may be left. Prints operations, faults, the longest time without an answer, latencies in the
quiet; ends with status 1 and a list of what was wrong: resource, request id and what `pileus trace` tells of it.
"""

import argparse
import os
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--database", metavar="URL", help="an empty PostgreSQL database")
    given = parser.parse_args()
    isolated = os.geteuid() == 0 and given.database is None
    words = [f"--{name}={value}" for name, value in vars(given).items() if value is not None]
    command = [sys.executable, "-m", "tests.crash.soak_run", *words]
    if isolated:
        command = ["unshare", "--net", "--mount", "--", *command, "--isolated"]
    paths = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
