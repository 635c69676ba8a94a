"""The bucket of a project: never more than its rate, and a refusal says when it will work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pileus.core import rate
from pileus.core.rate import BURST, RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@given(st.floats(0.5, 1000), st.lists(st.floats(0, 0.5), min_size=1, max_size=300))
def test_never_more_than_the_rate_and_the_burst(per_second: float, pauses: list[float]) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rate, "time", clock)
        limit = RateLimit(per_second)
        limit.learn("token", "project")
        taken = 0
        for pause in pauses:
            clock.now += pause
            taken += limit.wait("token") == 0
        assert taken <= max(per_second * BURST, 1) + per_second * sum(pauses) + 1e-6


@given(st.floats(0.1, 1000))
def test_after_the_wait_it_works(per_second: float) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rate, "time", clock)
        limit = RateLimit(per_second)
        limit.learn("token", "project")
        wait = 0
        while not wait:
            wait = limit.wait("token")
        clock.now += wait
        assert limit.wait("token") == 0


def test_two_tokens_of_a_project_share_and_other_projects_do_not() -> None:
    limit = RateLimit(0.001)
    for token, project in (("a", "one"), ("b", "one"), ("c", "two")):
        limit.learn(token, project)
    assert limit.wait("a") == 0
    assert limit.wait("b") > 0
    assert limit.wait("c") == 0
    assert limit.wait("unknown") == 0
    assert limit.wait(None) == 0


def test_without_a_rate_nothing_is_refused() -> None:
    limit = RateLimit(0)
    limit.learn("a", "one")
    assert all(limit.wait("a") == 0 for _ in range(100))
