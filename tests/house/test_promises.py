"""Every promise of SPECIFICATION.md can be measured: its command is there, and tells the figure that is promised."""

import ast
import re
import shlex
from pathlib import Path

import pytest

from pileus.__main__ import parser
from pileus.operate.many import Result

ROOT = Path(__file__).parents[2]


TABLES = re.findall(r"^\| promise \|.*\n\|[-|]+\n((?:\|.*\n)+)", (ROOT / "SPECIFICATION.md").read_text(), re.M)
ROWS = [row.strip("|\n ").split(" | ") for table in TABLES for row in table.splitlines()]
"""Promise, limit, what was measured, and `command` or, where the command tells several figures, `command`: figure."""


def texts(program: Path) -> set[str]:
    """What a program can print: its string literals, those of formatted strings part by part; not its docstrings."""
    tree = ast.parse(program.read_text())
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    strings = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in said)
    return {node.value.strip(" :,") for node in strings if isinstance(node.value, str)}


def told(words: list[str]) -> set[str] | None:
    """The names of the figures that a command tells; None where it tells one, which needs no name."""
    while words[0] in ("sudo", "time"):
        words = words[1:]
    if words[0] == "pileus":
        assert parser().parse_args(words[1:]), "such a command"
        return set(Result.__struct_fields__) if words[1] == "sim" else None
    if words[0] == "python":
        file = ROOT / (f"{words[2].replace('.', '/')}.py" if words[1] == "-m" else words[1])
        assert file.is_file(), f"there is no {file}"
        return texts(file) if file.parent.name == "bench" else None
    assert (ROOT / words[0]).exists(), f"there is no {words[0]}"
    return None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_promise_has_its_benchmark(row: list[str]) -> None:
    assert len(row) == 4
    assert all(row)
    found = re.fullmatch(r"`(.+)`(?:: (.+))?", row[-1])
    assert found, f"the last cell is `command` or `command`: figure, not {row[-1]}"
    command, figure = found.groups()
    figures = told(shlex.split(command))
    if figures is not None:
        assert figure in figures, f"{command} tells no '{figure}'"


def test_there_are_promises() -> None:
    assert len(ROWS) > 20
