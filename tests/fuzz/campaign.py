"""Many requests, and what was wrong with the answers."""

import argparse
import contextlib
import itertools
import math
import random
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisWarning, NonInteractiveExampleWarning, Unsatisfiable

from tests.fuzz import described, hostile
from tests.fuzz.judge import complaint
from tests.fuzz.world import Request, World

PER_WORLD = 150
"""Requests before the cloud is as at first again: hostile ones delete what the next ones want."""


class Finding(msgspec.Struct):
    what: str
    request: Request
    answer: bytes
    traceback: str

    def __str__(self) -> str:
        sent = [pair for pair in self.request.headers if pair[0] != "X-Auth-Token"]
        asked = f"{self.request.method} {self.request.path[:200]}?{self.request.query[:300]!r} {sent!r:.400} {self.request.body[:600]!r}"
        return f"{self.what}: {asked}\n  -> {self.answer[:300]!r}\n{self.traceback[-1800:]}"


class Campaign:
    def __init__(self, world: World, first_seed: int) -> None:
        self.world = world
        self.statuses: Counter[int] = Counter()
        self.findings: dict[str, Finding] = {}
        self._seed = first_seed
        self._since_refresh = 0

    @property
    def count(self) -> int:
        return self.statuses.total()

    def described(self, cases: int) -> None:
        """At least so many requests that schemathesis made, as many to each operation."""
        operations = list(described.operations())
        each = math.ceil(cases / len(operations))
        for operation in operations:
            before = self.count
            for _ in range(8):
                if self.count - before >= each:
                    break
                self._draw(described.requests(operation, self.world), each - (self.count - before))

    def hostile(self, cases: int) -> None:
        """So many of our own."""
        wanted = self.count + cases
        requests = hostile.requests(self.world)
        while self.count < wanted:
            self._draw(requests, min(wanted - self.count, 500))

    def _draw(self, requests: st.SearchStrategy[Request], cases: int) -> None:
        self._seed += 1

        @seed(self._seed)
        @settings(
            max_examples=cases,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(requests)
        def run(request: Request) -> None:
            self.send(request)

        with warnings.catch_warnings(), contextlib.suppress(Unsatisfiable):
            warnings.simplefilter("ignore", HypothesisWarning)
            warnings.simplefilter("ignore", NonInteractiveExampleWarning)
            run()

    def send(self, request: Request) -> None:
        self._since_refresh += 1
        if self._since_refresh > PER_WORLD:
            self.world.refresh()
            self._since_refresh = 0
        answer = self.world.send(request)
        self.statuses[answer.status] += 1
        what = complaint(request, answer)
        if what is not None:
            lines = answer.traceback.strip().splitlines()
            place = next((line.strip() for line in reversed(lines) if "pileus/" in line), request.path)
            key = f"{what} {place} {lines[-1][:60] if lines else ''}"
            self.findings.setdefault(key, Finding(what, request, answer.body, answer.traceback))

    def summary(self) -> str:
        answers = ", ".join(f"{status}: {count}" for status, count in sorted(self.statuses.items()))
        return f"{self.count} requests; answers {answers}; {len(self.findings)} kinds of wrong ones"


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/fuzz/run", allow_abbrev=False, description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="requests made from the OpenAPI documents")
    parser.add_argument("--hostile", type=int, default=None, help="requests of our own; as many by default")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="for the same requests again")
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL of its own instead of SQLite")
    options = parser.parse_args()
    began = time.monotonic()
    world = World("postgresql" if options.postgresql else "sqlite")
    campaign = Campaign(world, options.seed)
    try:
        for name, run, cases in (
            ("schemathesis", campaign.described, options.cases),
            ("hostile", campaign.hostile, options.cases if options.hostile is None else options.hostile),
        ):
            _report(name, campaign, run, cases)
    finally:
        world.close()
    for number, finding in zip(itertools.count(1), campaign.findings.values(), strict=False):
        print(f"\n[{number}] {finding}")
    print(f"fuzz, seed {options.seed}, {time.monotonic() - began:.0f} s: {campaign.summary()}")
    return 1 if campaign.findings else 0


def _report(name: str, campaign: Campaign, run: Callable[[int], Any], cases: int) -> None:
    began, before = time.monotonic(), campaign.count
    run(cases)
    print(f"{name}: {campaign.count - before} requests in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
