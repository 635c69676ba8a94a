"""How long a choice of a host takes, and a claim, over N hosts.

    python bench/claim.py --hosts 100 1000 10000 [--database postgresql+psycopg://...]

Without --database a SQLite file. Prints p50 and p99 in milliseconds of `scheduler.select` and of `placement.claim`,
each in the transaction of a boot, while the hosts fill up; and of a refusal once nothing fits.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from pileus import cloud
from pileus.core.config import Settings
from pileus.core.db import Database, metadata, new_id
from pileus.node.desired import HostFacts
from pileus.services.compute import scheduler
from pileus.services.compute.rules import hosts
from pileus.services.placement import rules as placement

RESOURCES = {"VCPU": 1, "MEMORY_MB": 512, "DISK_GB": 1}


def facts(name: str) -> HostFacts:
    return HostFacts(
        host=name, hypervisor_type="simulated", hypervisor_version=1, accelerator="none", accelerator_reason="simulated",
        vcpus=4, memory_mb=65536, disk_gb=1000, address="127.0.0.1", agent_url="",
    )  # fmt: skip


def percentiles(values: list[float]) -> str:
    cut = statistics.quantiles(values, n=100)
    return f"{cut[49] * 1000:8.2f} {cut[98] * 1000:8.2f}"


def measure(db: Database, count: int, boots: int) -> None:
    settings = Settings(cpu_ratio=1.0)
    with db.write() as tx:
        for number in range(count):
            hosts.register(tx, facts(f"host-{number:05}"), settings)
    wish = scheduler.Wish(project_id="p", resources=RESOURCES)
    choices, claims, refusals = [], [], []
    for _ in range(boots):
        with db.write() as tx:
            began = time.perf_counter()
            choice = scheduler.select(tx, wish)
            chosen = time.perf_counter()
            assert isinstance(choice, scheduler.Choice)
            assert placement.claim(tx, new_id(), "p", "u", choice.provider_id, RESOURCES)
            claimed = time.perf_counter()
        choices.append(chosen - began)
        claims.append(claimed - chosen)
    large = scheduler.Wish(project_id="p", resources={"VCPU": 4096})
    for _ in range(5):
        with db.read() as tx:
            began = time.perf_counter()
            assert isinstance(scheduler.select(tx, large), scheduler.Refusal)
            refusals.append(time.perf_counter() - began)
    print(
        f"{count:8} {percentiles(choices)} {percentiles(claims)} {statistics.median(refusals) * 1000:10.1f}", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--boots", type=int, default=200)
    parser.add_argument("--database", help="an empty PostgreSQL database; its tables are dropped at the end")
    given = parser.parse_args()
    cloud.services()
    print("   hosts   choice: p50      p99   claim: p50     p99    refusal [ms]")
    for count in given.hosts:
        with tempfile.TemporaryDirectory() as directory:
            db = Database(given.database or f"sqlite:///{Path(directory)}/pileus.db")
            db.create_tables()
            try:
                measure(db, count, given.boots)
            finally:
                metadata.drop_all(db.engine)
                db.close()


if __name__ == "__main__":
    main()
