"""Files of the operator's that may change while Pileus runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger("pileus.operator")
_LOOK_AGAIN = 1.0
"""Seconds between two looks."""
T = TypeVar("T")


class OperatorFile(Generic[T]):
    """What `read` makes of a YAML file's content (None where there is no file), made anew where the file changed.

    `read` raises what it likes: what was before stays then, loudly, and `trouble` says why.
    """

    def __init__(self, path: Path, read: Callable[[object], T]) -> None:
        self.path, self._read = path, read
        self.trouble = ""
        """Why the file was refused when it was read last; empty where it was not."""
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._next_look = 0.0
        self._value = read(None)
        self._look()

    def current(self) -> T:
        if time.monotonic() >= self._next_look:
            self._look()
        return self._value

    def _look(self) -> None:
        self._next_look = time.monotonic() + _LOOK_AGAIN
        try:
            found = self.path.stat()
            seen = (found.st_mtime_ns, found.st_size)
        except FileNotFoundError:
            seen = None
        if seen == self._seen:
            return
        with self._lock:
            try:
                self._value = self._read(self._content() if seen else None)
                self.trouble = ""
                log.info("read", file=str(self.path))
            except Exception as error:
                self.trouble = str(error)
                log.error("refused, what was before stays", file=str(self.path), reason=str(error))
            self._seen = seen

    def _content(self) -> object:
        import yaml

        return yaml.safe_load(self.path.read_text()) or {}
