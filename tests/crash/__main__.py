"""`python -m tests.crash [--operation X] [--every] [--seed N]`: stop operations at their steps, and say what came of it."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.crash.cloud import Cloud
from tests.crash.operations import ON_HOSTS, OPERATIONS
from tests.crash.runner import Runner, choose, outcomes
from tests.crash.steps import ANY

LINES, MOST = 6, 600
"""Of what is said about a run that went wrong."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--operation", choices=OPERATIONS, action="append", help="default: all")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--real", action="store_true", help="libvirt and OVN, in this network namespace; as root")
    parser.add_argument("--every", action="store_true", help="each step and each fault, not each call site once")
    parser.add_argument("--fault", choices=sorted(ANY), action="append", help="only these; default: all")
    parser.add_argument("--only", default="", help="only steps whose name has this in it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quiet", action="store_true", help="only say what was not as in the uninterrupted run")
    parser.add_argument("--list", action="store_true", help="only say the steps that were found")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended
    failed = 0
    with tempfile.TemporaryDirectory(prefix="pileus-crash-", dir="/var/lib" if given.real else None) as folder:
        Path(folder).chmod(0o711)
        cloud = Cloud(Path(folder), given.database, given.real)
        try:
            runner = Runner(cloud)
            for name in given.operation or (ON_HOSTS if given.real else OPERATIONS):
                operation = OPERATIONS[name](cloud)
                steps, wanted = runner.record(operation)
                print(f"{name}: {len(steps)} steps at {len({step.key for step in steps})} sites", flush=True)
                if given.list:
                    print(*steps, *sorted(wanted), sep="\n")
                    continue
                chosen = [
                    (step, fault)
                    for step, fault in choose(steps, given.database, given.seed, given.every, given.fault or ANY)
                    if given.only in str(step)
                ]
                verdicts: Counter[str] = Counter()
                for outcome in outcomes(runner, operation, chosen, wanted):
                    verdicts[outcome.verdict] += 1
                    if outcome.verdict == "same" and given.quiet:
                        continue
                    print(
                        f"  {outcome.verdict:11} {outcome.seconds:5.1f} s  {outcome.fault:7} {outcome.step}", flush=True
                    )
                    for line in outcome.wrong[:LINES]:
                        print(f"      {line[:MOST]}", flush=True)
                failed += verdicts["WRONG"]
                said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
                print(f"{name}: {len(chosen)} runs: {said}", flush=True)
        finally:
            cloud.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
