"""Nobody gets past a limit and nobody is refused what is left, though all is counted rarely."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pileus.core import quota
from pileus.core.db import Database, new_id


class Full(Exception): ...


class Project:
    """What it has, and how often that was counted."""

    def __init__(self, db: Database) -> None:
        self.db, self.name = db, new_id()
        self.has: dict[str, int] = {}
        self.counted = 0

    def count(self, names: Collection[str]) -> Mapping[str, int]:
        self.counted += 1
        return {name: self.has.get(name, 0) for name in names}

    def take(self, wanted: Mapping[str, int], limits: Mapping[str, int]) -> bool:
        with suppress(Full), self.db.write() as tx:
            tx.hold(self.name)
            used = quota.take(tx, self.name, wanted, limits, self.count)
            if any(used[name] + wanted[name] > limits[name] for name in used.keys() & wanted.keys()):
                raise Full
            self.give(wanted)
            return True
        return False

    def give(self, amounts: Mapping[str, int]) -> None:
        for name, amount in amounts.items():
            self.has[name] = max(self.has.get(name, 0) + amount, 0)


amounts = st.dictionaries(st.sampled_from(["instances", "cores"]), st.integers(0, 4), min_size=1)


@given(st.lists(st.tuples(st.booleans(), amounts), max_size=30), st.integers(0, 12), st.integers(-1, 12))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_given_is_what_counting_each_time_would_give(
    db: Database, steps: list[tuple[bool, dict[str, int]]], instances: int, cores: int
) -> None:
    project, limits = Project(db), {"instances": instances, "cores": cores}
    for takes, amount in steps:
        if takes:
            there_is = all(limits[n] < 0 or project.has.get(n, 0) + more <= limits[n] for n, more in amount.items())
            assert project.take(amount, limits) == there_is
        else:
            project.give({name: -less for name, less in amount.items()})


def test_who_is_far_from_the_limit_is_counted_once(db: Database) -> None:
    project = Project(db)
    assert all(project.take({"instances": 1}, {"instances": 50}) for _ in range(50))
    assert project.counted == 1
    assert not project.take({"instances": 1}, {"instances": 50})
    project.give({"instances": -1})
    assert project.take({"instances": 1}, {"instances": 50}), "what was given back is there again"


def test_what_was_given_without_a_limit_is_seen(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(db)
    assert project.take({"instances": 1}, {"instances": 5})
    project.give({"instances": 4})
    with db.write() as tx:
        quota.count_again(tx, project.name[:8])
    assert not project.take({"instances": 1}, {"instances": 5}), "limits were changed"
    project.give({"instances": -4})
    assert project.take({"instances": 1}, {"instances": 5})
    project.give({"instances": 3})
    monkeypatch.setattr(quota, "COUNT_AGAIN", timedelta(0))
    assert not project.take({"instances": 1}, {"instances": 5}), "a while has passed"
