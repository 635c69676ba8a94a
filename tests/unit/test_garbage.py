"""What a request has made goes when it is answered: the garbage collector, which stops everybody, has nothing to find."""

import gc
import http.client
from collections.abc import Iterator

import pytest

from pileus.core.dispatch import HttpRequest
from tests.support.live import Live, serving
from tests.unit.test_http import api


@pytest.fixture
def live() -> Iterator[Live]:
    with serving([api]) as live:
        gc.collect()
        gc.disable()
        yield live
        gc.enable()


@pytest.mark.parametrize("path", ["things", "things/project", "things/none", "nothing"])
def test_an_answered_request_is_gone(live: Live, path: str) -> None:
    connection = http.client.HTTPConnection(*live.address)
    for _ in range(10):
        connection.request("GET", f"/toy/v1/{path}", headers={"X-Auth-Token": "admin"})
        connection.getresponse().read()
    kept = [each for each in gc.get_objects() if isinstance(each, HttpRequest)]
    connection.close()
    assert len(kept) <= 1, "the last may still be on its way out"
