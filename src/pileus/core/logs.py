"""Structured logs: one line an event, on standard error. Secrets never reach them. And the files that they end in."""

from __future__ import annotations

import io
import logging
import os
import shutil
import sys
from collections.abc import Collection, Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, cast

import structlog

_SECRET = ("password", "secret", "token", "authorization", "private_key", "user_data")

LIMIT = 16 * 2**20
"""Bytes of a log that is still written to; as many are kept of what came before."""


def _hide(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in event:
        if any(word in key.lower() for word in _SECRET):
            event[key] = "***"
    return event


class _Lossy(io.TextIOBase):
    """Standard error without what can't be written: a full disk must not fail the work that the log tells of."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


def configure(level: int = logging.INFO) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _hide,
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], bool_as_flag=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Lossy())),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=_Lossy(), format="%(asctime)s %(levelname)s %(name)s %(message)s")


def cap(log: Path) -> None:
    """Keep the log below two times 16 MiB. It is open for appending, so it may be emptied under its writer."""
    if not log.exists() or log.stat().st_size <= LIMIT:
        return
    try:
        shutil.copyfile(log, _older(log))
    except OSError:
        pass  # on a full disk, room is worth more than an old log
    os.truncate(log, 0)


def _older(log: Path) -> Path:
    return log.with_suffix(".log.1")


def lines_with(log: Path, texts: Collection[str]) -> Iterator[str]:
    """The lines of a log, and of what came before it, with any of the texts; the oldest first."""
    wanted = [text.encode() for text in texts]
    for file in (_older(log), log):
        if not file.exists():
            continue
        with file.open("rb") as lines:
            for line in lines:
                if any(text in line for text in wanted):
                    yield line.decode(errors="replace").rstrip()
