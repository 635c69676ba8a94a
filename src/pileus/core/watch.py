"""Wake-ups: who waits for a topic looks again after a commit that touched it."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable


class Watch:
    """Topics with a counter each. Threads and coroutines wait for a counter to move; a signal costs nothing when nobody waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count: dict[str, int] = defaultdict(int)
        self._waiters: dict[str, set[Callable[[], None]]] = defaultdict(set)

    def signal(self, topics: Iterable[str]) -> None:
        wake: list[Callable[[], None]] = []
        with self._lock:
            for topic in topics:
                self._count[topic] += 1
                wake.extend(self._waiters.get(topic, ()))
        for waiter in wake:
            waiter()

    def signal_all(self) -> None:
        """Everybody who waits for anything looks again, and so does who took a counter before and will compare it."""
        with self._lock:
            topics = {*self._waiters, *self._count}
        self.signal(topics)

    def count(self, topic: str) -> int:
        """The counter now: take it before looking at the rows, wait for it to differ afterwards."""
        with self._lock:
            return self._count[topic]

    async def wait(self, topic: str, seen: int, timeout: float) -> int:
        """The counter once it differs from `seen`, or after `timeout` seconds as it is."""
        loop = asyncio.get_running_loop()
        moved = loop.create_future()

        def end() -> None:
            if not moved.done():
                moved.set_result(None)

        def wake() -> None:
            loop.call_soon_threadsafe(end)

        timer = loop.call_later(timeout, end)
        try:
            with self.listening(topic, wake):
                if self.count(topic) == seen:
                    await moved
                return self.count(topic)
        finally:
            timer.cancel()

    def listening(self, topic: str, wake: Callable[[], None]) -> Listening:
        return Listening(self, topic, wake)


class Listening:
    """While entered, `wake` is called after each signal of the topic (in the signalling thread; it must not block)."""

    def __init__(self, watch: Watch, topic: str, wake: Callable[[], None]) -> None:
        self._watch, self._topic, self._wake = watch, topic, wake

    def __enter__(self) -> Listening:
        with self._watch._lock:
            self._watch._waiters[self._topic].add(self._wake)
        return self

    def __exit__(self, *_: object) -> None:
        with self._watch._lock:
            self._watch._waiters[self._topic].discard(self._wake)
            if not self._watch._waiters[self._topic]:
                del self._watch._waiters[self._topic]
