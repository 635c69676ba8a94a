"""What `pileus sim` computes of what it saw."""

import pytest

from pileus.operate.many import COLUMNS, Result, heading, line, quantile

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
