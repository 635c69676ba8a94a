"""The house: who may import whom, where SQL and HTTP may stand, how long things may be."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pileus.core.config import Settings

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "pileus"
FILES = sorted(file for file in SOURCE.rglob("*.py") if "migrations" not in file.parts)
MAX_LINES = 700
MAX_HANDLER = 25
MAX_OPTIONS = 60


def room(file: Path) -> tuple[str, ...]:
    return file.relative_to(SOURCE).parts


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(file: Path) -> Iterator[str]:
    return (name for name in imports(file) if name.startswith("pileus."))


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(room(file)))
def test_layers(file: Path) -> None:
    parts = room(file)
    for name in ours(file):
        below = name.split(".")[1]
        if parts[0] == "core":
            assert below == "core", f"core knows no other room: {name}"
        if parts[0] == "node":
            assert below in ("node", "core"), f"the host agent imports core alone: {name}"
        if parts[0] == "supervise":
            assert below in ("supervise", "core"), f"supervise knows no service: {name}"
        if parts[0] == "services":
            assert below in ("core", "services") or name.startswith("pileus.node.desired"), (
                f"a service knows no process: {name}"
            )


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(room(file)))
def test_sql_stands_in_store(file: Path) -> None:
    parts = room(file)
    if parts[0] != "services" or len(parts) < 3:
        return
    allowed = {"store", "tables"}
    inside = {part.removesuffix(".py") for part in parts[2:]}
    if not inside & allowed:
        found = [name for name in imports(file) if name.split(".")[0] == "sqlalchemy"]
        assert not found, f"SQL stands in store and tables: {found}"


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(room(file)))
def test_files_are_short(file: Path) -> None:
    lines = len(file.read_text().splitlines())
    assert lines <= MAX_LINES, f"{lines} lines: a second noun deserves its own room"


@pytest.mark.parametrize("file", [file for file in FILES if "api" in str(file)], ids=lambda file: "/".join(room(file)))
def test_handlers_are_short(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(is_route(d) for d in node.decorator_list):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= MAX_HANDLER, f"{node.name} has {length} lines: decode, call rules, encode"


def is_route(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute) and decorator.func.attr in (
        "get", "post", "put", "patch", "delete", "action", "route",
    )  # fmt: skip


def test_w69_options_are_few_and_explained() -> None:
    """Story W69."""
    assert len(Settings.__struct_fields__) <= MAX_OPTIONS
    text = (SOURCE / "core" / "config.py").read_text()
    for name in Settings.__struct_fields__:
        assert re.search(rf'^    {name}: .*\n    """', text, re.M), f"option {name} has no reason beside it"


def test_w68_no_test_asserts_calls() -> None:
    """Story W68: behaviour only."""
    for file in (ROOT / "tests").rglob("*.py"):
        if file == Path(__file__):
            continue
        found = re.findall(r"assert_(?:not_)?(?:any_)?called\w*|MagicMock|mock\.patch", file.read_text())
        assert not found, f"{file}: {found}"


def test_nothing_points_at_one_machine() -> None:
    for file in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *FILES]:
        assert "/work/" not in file.read_text(), f"{file} names a path of one machine"
