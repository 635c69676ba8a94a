"""Every story that is told has a test that bears its number: in tests/stories, or beside the lab that it needs."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
TOLD = {
    "w01",
    "w03",
    "w04",
    "w05",
    "w06",
    "w07",
    "w09",
    "w10",
    "w12",
    "w13",
    "w15",
    "w16",
    "w20",
    "w21",
    "w22",
    "w23",
    "w24",
    "w25",
    "w26",
    "w27",
    "w28",
    "w29",
    "w30",
    "w31",
    "w33",
    "w40",
    "w41",
    "w42",
    "w43",
    "w44",
    "w45",
    "w46",
    "w60",
    "w63",
    "w66",
    "w68",
    "w69",
}
"""Grows with each story that is done; none is ever taken out."""


def test_every_story_told_has_its_test() -> None:
    found = {
        number for file in TESTS.rglob("*.py") for number in re.findall(r"^ *def test_(w\d\d)_", file.read_text(), re.M)
    }
    assert found >= TOLD, f"stories without a test: {sorted(TOLD - found)}"
