"""What a check found, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from rich.markup import escape

from pileus.cli.steps import console

Verdict = Literal["good", "warning", "wrong"]
_MARKS = {"good": "[green]✓[/]", "warning": "[yellow]![/]", "wrong": "[red]✗[/]"}


class Finding(msgspec.Struct, frozen=True):
    about: str
    """What was looked at: disk, host h1, port binding."""
    verdict: Verdict
    says: str
    """What is, in a sentence."""
    looked_at: str = ""
    """The rows and commands that show it."""
    to_do: str = ""


def good(about: str, says: str, looked_at: str = "") -> Finding:
    return Finding(about, "good", says, looked_at)


def warning(about: str, says: str, looked_at: str = "", to_do: str = "") -> Finding:
    return Finding(about, "warning", says, looked_at, to_do)


def wrong(about: str, says: str, looked_at: str = "", to_do: str = "") -> Finding:
    return Finding(about, "wrong", says, looked_at, to_do)


def show(findings: Iterable[Finding]) -> int:
    """Print them as they come. 1 where something is wrong, else 0."""
    status = 0
    for finding in findings:
        status = 1 if finding.verdict == "wrong" else status
        _print(f"{_MARKS[finding.verdict]} [bold]{_tame(finding.about)}[/]: {_tame(finding.says)}")
        for label, text in (("looked at", finding.looked_at), ("to do", finding.to_do)):
            if text:
                _print(f"    [dim]{label}: {_tame(text)}[/]")
    return status


def _print(text: str) -> None:
    console.print(text, soft_wrap=True)


def _tame(text: str) -> str:
    """What guests print and users name could be escape sequences for the operator's terminal, or rich's markup."""
    return str(escape("".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in text)))


def by_priority(findings: Iterable[Finding]) -> Sequence[Finding]:
    """What is wrong first, then warnings, then what is good; in the order of the checks otherwise."""
    order = {"wrong": 0, "warning": 1, "good": 2}
    return sorted(findings, key=lambda finding: order[finding.verdict])
