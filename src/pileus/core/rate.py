"""How many requests a project may make: a bucket that fills at `rate` a second up to twice that."""

from __future__ import annotations

import math
import threading
import time

BURST = 2.0
"""Seconds' worth of requests that may come at once after a quiet time."""
FORGET = 100_000
"""Tokens that are remembered at most."""


class RateLimit:
    """In this process. Requests are known by their token, whose project is known after its first request.

    A request that is over the limit costs two lookups: no thread, no transaction.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._lock = threading.Lock()
        self._project: dict[str, str] = {}
        self._level: dict[str, tuple[float, float]] = {}
        """Project -> how many requests it may make, and when that was so."""

    def learn(self, token: str, project_id: str | None) -> None:
        """`token` speaks for the project; tokens without one are not limited."""
        if not self.rate or project_id is None or token in self._project:
            return
        with self._lock:
            if len(self._project) >= FORGET:
                self._project.clear()
            self._project[token] = project_id

    def wait(self, token: str | None) -> int:
        """0 and the request counts, or in how many seconds it may come again."""
        project = self._project.get(token) if token and self.rate else None
        if project is None:
            return 0
        now, most = time.monotonic(), max(self.rate * BURST, 1.0)
        with self._lock:
            level, at = self._level.get(project, (most, now))
            level = min(most, level + (now - at) * self.rate)
            if level < 1.0:
                self._level[project] = (level, now)
                return math.ceil((1.0 - level) / self.rate)
            self._level[project] = (level - 1.0, now)
            return 0
