"""What `pileus sim` computes of what it saw."""

import threading
from pathlib import Path

import pytest

from pileus.operate import many
from pileus.operate.many import COLUMNS, Result, heading, line, quantile, wait_for_hosts
from pileus.operate.options import OptionError

INFINITE = float("inf")


@pytest.mark.parametrize(
    ("counts", "part", "seconds"),
    [
        ({0.01: 0.0, 0.02: 100.0, INFINITE: 100.0}, 0.5, 0.015),
        ({0.01: 100.0, 0.02: 100.0, INFINITE: 100.0}, 0.99, 0.0099),
        ({0.01: 90.0, 0.02: 90.0, INFINITE: 100.0}, 0.99, 0.02),
        ({0.01: 0.0, INFINITE: 0.0}, 0.99, 0.0),
        ({}, 0.5, 0.0),
    ],
)
def test_a_quantile_of_a_histogram(counts: dict[float, float], part: float, seconds: float) -> None:
    assert quantile(counts, part) == pytest.approx(seconds)


def test_a_row_of_the_table_has_a_cell_for_each_column() -> None:
    result = Result(*(1 for _ in Result.__struct_fields__))
    first, rule = heading().splitlines()
    assert first.count("|") == rule.count("|") == line(result).count("|") == len(COLUMNS) + 1


def test_hosts_that_do_not_register_end_it_with_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "PATIENCE", 0.0)
    with pytest.raises(OptionError) as told:
        wait_for_hosts(["swarm-1", "swarm-2", "swarm-3"], {"swarm-2": 1.0}, Path("/state/log"))
    assert str(told.value).startswith("2 of 3 hosts have not registered, and for 0 s none has: ")
    assert "/state/log/swarm.log" in str(told.value)


def test_hosts_that_register_slowly_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as there is one more now and then."""
    monkeypatch.setattr(many, "PATIENCE", 20.0)
    known: dict[str, float] = {}
    late = threading.Timer(0.2, lambda: known.update({"swarm-1": 1.0}))
    late.start()
    wait_for_hosts(["swarm-1"], known, Path("/state/log"))
    assert known
