"""Steps with progress and time, on a terminal and in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(highlight=False)


class Steps:
    """`with steps("What is done") as note:` shows a spinner, then the time it took, and what `note(text)` said."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    @contextmanager
    def __call__(self, title: str) -> Iterator[Note]:
        note = Note()
        began = time.monotonic()
        try:
            with console.status(title) if console.is_terminal else _plain(title):
                yield note
        except BaseException:
            console.print(f"[red]✗[/] {title} [dim]({time.monotonic() - began:.1f} s)[/]")
            raise
        more = f": {note.text}" if note.text else ""
        console.print(f"[green]✓[/] {title}{more} [dim]({time.monotonic() - began:.1f} s)[/]")

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


class Note:
    text = ""

    def __call__(self, text: str) -> None:
        self.text = text


@contextmanager
def _plain(title: str) -> Iterator[None]:
    console.print(f"  {title} ...")
    yield
