"""Dispatch as a client sees it: routes, versions, errors, policy."""

from typing import Annotated, Any

import httpx
import pytest

from pileus.core import errors
from pileus.core.body import UNSET, Body, Query, Reply, Unset, since
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Request, Response, Service, Stream, Versions
from pileus.core.policy import Defaults, Policy, Rule
from pileus.core.version import Version
from tests.support.api import make_app

policy = Policy(
    "toy",
    Defaults(
        rules={
            "toy:read": Rule("rule:reader", ["project"]),
            "toy:admin": Rule("role:admin", ["project"]),
        },
        base={"reader": "role:reader and project_id:%(project_id)s or role:admin"},
    ),
)
api = Service("toy", "/toy/v1", errors.compute_shape, policy, Versions("toy", Version(2, 1), Version(2, 9)))


class ThingCreate(Body):
    __wrap__ = "thing"
    name: str
    colour: Annotated[str, since("2.5")] | Unset = UNSET
    host: str | Unset = UNSET


class Thing(Reply):
    __wrap__ = "thing"
    name: str
    colour: Annotated[str, since("2.5")] | Unset = UNSET


class ThingQuery(Query):
    tag: list[str] = []
    limit: int = 5


@api.post("/things", policy="toy:read", policies={"host": "toy:admin"}, success=201)
def create_thing(tx: Tx, caller: Caller, body: ThingCreate) -> Thing:
    return Thing(name=body.name, colour="red")


@api.get("/cookie")
def show_cookie() -> Response:
    return Response(headers={"Set-Cookie": "crumb=1; Path=/; HttpOnly"})


@api.get("/things", policy="toy:read")
def list_things(query: ThingQuery, tx: Tx) -> dict[str, Any]:
    return {"tags": query.tag, "limit": query.limit}


def owned(tx: Tx, thing_id: str) -> dict[str, str]:
    if thing_id == "none":
        raise errors.NotFound(f"Thing {thing_id} could not be found.")
    return {"project_id": thing_id, "user_id": "u"}


@api.get("/things/{thing_id}", policy="toy:read", load=owned)
def show_thing(tx: Tx, thing: dict[str, str]) -> dict[str, str]:
    return thing


@api.action("/things/{thing_id}/action", "paint", policy="toy:read", load=owned)
def paint(tx: Tx, thing: dict[str, str], body: dict[str, str]) -> None:
    return None


@api.put("/things/{thing_id}", policy="toy:read")
def keep_thing(tx: Tx, thing_id: str) -> Response:
    return Response(headers={"Location": f"http://cloud/{thing_id}"})


@api.get("/things/{thing_id}/stream")
async def stream_thing(request: Request, thing_id: str) -> Stream:
    async def chunks() -> Any:
        for part in (b"a", b"b"):
            yield part

    return Stream(chunks(), length=2)


def call(
    method: str, path: str, token: str | None = "project-member@p1", version: str | None = None, **more: Any
) -> httpx.Response:
    import asyncio

    headers = dict(more.pop("headers", {}))
    if token:
        headers["X-Auth-Token"] = token
    if version:
        headers["OpenStack-API-Version"] = f"toy {version}"
    app = make_app(more.pop("services", [api]))

    async def go() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app.asgi), base_url="http://cloud") as client:  # type: ignore[arg-type]
            return await client.request(method, path, headers=headers, **more)

    return asyncio.run(go())


def test_a_field_exists_only_in_its_window() -> None:
    body = {"thing": {"name": "t", "colour": "red"}}
    old = call("POST", "/toy/v1/things", version="2.4", json=body)
    assert old.status_code == 400
    assert old.json()["badRequest"]["message"] == "thing.colour needs toy 2.5; this request is of version 2.4."
    assert call("POST", "/toy/v1/things", version="2.5", json=body).json() == {"thing": {"name": "t", "colour": "red"}}
    assert call("POST", "/toy/v1/things", json={"thing": {"name": "t"}}).json() == {"thing": {"name": "t"}}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"thing": {"name": 1}}', "thing.name"),
        (b'{"thing": {"name": "t", "zz": 1}}', "zz"),
        (b'{"thing": {"name": "t"}, "more": 1}', "more"),
        (b'{"thung": {}}', "'thing'"),
        (b"{", "not valid JSON"),
        (b"", "needs a JSON body"),
        (b"[" * 100_000, "not valid JSON"),
        (rb'{"thing": {"name": "a\u0000b"}}', "NUL"),
        (rb'{"thing": {"name": "a\\u0000b", "zz": 1}}', "zz"),
    ],
)
def test_a_bad_body_is_refused_by_name(body: bytes, words: str) -> None:
    answer = call("POST", "/toy/v1/things", content=body)
    assert answer.status_code == 400
    assert words in answer.json()["badRequest"]["message"]


def test_a_service_may_read_numbers_from_strings() -> None:
    class Size(Body):
        width: int
        deep: bool | None

    def measure(body: Size) -> dict[str, Any]:
        return {"width": body.width, "deep": body.deep}

    strict = Service("toy", "/toy/v1", errors.compute_shape)
    lenient = Service("toy", "/toy/v2", errors.compute_shape, lenient_bodies=True)
    for service in (strict, lenient):
        service.post("/sizes", public=True)(measure)
    size = b'{"width": "1400", "deep": "true"}'
    assert call("POST", "/toy/v1/sizes", services=[strict, lenient], content=size).status_code == 400
    found = call("POST", "/toy/v2/sizes", services=[strict, lenient], content=size)
    assert found.json() == {"width": 1400, "deep": True}


@pytest.mark.parametrize(
    ("version", "status"), [("2.0", 406), ("2.10", 406), ("latest", 200), ("two", 400), ("2.01", 400)]
)
def test_versions_are_negotiated(version: str, status: int) -> None:
    answer = call("GET", "/toy/v1/things", version=version)
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["OpenStack-API-Version"] == "toy 2.9"


def test_who_may() -> None:
    assert call("GET", "/toy/v1/things/p1").status_code == 200
    assert call("GET", "/toy/v1/things/p2").status_code == 403
    assert call("GET", "/toy/v1/things/p2", token="project-admin").status_code == 200
    assert call("GET", "/toy/v1/things/p2", token="system-admin").status_code == 403
    assert call("GET", "/toy/v1/things/none").status_code == 404
    assert call("GET", "/toy/v1/things", token=None).status_code == 401
    assert call("GET", "/toy/v1/things", token="nonsense").status_code == 401
    with_host = {"thing": {"name": "t", "host": "h"}}
    assert call("POST", "/toy/v1/things", json=with_host).status_code == 403
    assert call("POST", "/toy/v1/things", json=with_host, token="project-admin").status_code == 201


def test_actions_are_routed_by_their_key() -> None:
    assert call("POST", "/toy/v1/things/p1/action", json={"paint": {}}).status_code == 202
    assert call("POST", "/toy/v1/things/p1/action", json={"burn": {}}).status_code == 400
    assert call("POST", "/toy/v1/things/p1/action", json={"paint": {}, "burn": {}}).status_code == 400


def test_unknown_paths_and_methods() -> None:
    assert call("GET", "/toy/v1/nothing").json()["itemNotFound"]["code"] == 404
    answer = call("DELETE", "/toy/v1/things")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, POST"


def test_queries_and_streams() -> None:
    assert call("GET", "/toy/v1/things?tag=a&tag=b&limit=7").json() == {"tags": ["a", "b"], "limit": 7}
    assert call("GET", "/toy/v1/things?limit=x").status_code == 400
    assert call("GET", "/toy/v1/things?tag=a%00").status_code == 400
    assert call("GET", "/toy/v1/things/p1/stream").content == b"ab"


def test_every_answer_names_its_request() -> None:
    assert call("GET", "/toy/v1/things").headers["X-Openstack-Request-Id"].startswith("req-")


@pytest.mark.parametrize(
    ("method", "path", "shape"),
    [
        ("GET", "/", "error"),
        ("GET", "//", "error"),
        ("GET", "/toyish", "error"),
        ("GET", "/toy", "itemNotFound"),
        ("GET", "/toy/v2/things", "itemNotFound"),
        ("GET", "/toy/v1/things//stream", "itemNotFound"),
        ("OPTIONS", "/toy/v1/things", "badMethod"),
        ("PURGE", "/toy/v1/things", "badRequest"),
    ],
)
def test_where_nothing_is_the_answer_still_has_its_shape(method: str, path: str, shape: str) -> None:
    answer = call(method, path)
    assert 400 <= answer.status_code < 500
    assert list(answer.json()) == [shape]
    assert answer.headers["X-Openstack-Request-Id"].startswith("req-")


def test_an_answer_can_set_a_cookie() -> None:
    assert call("GET", "/toy/v1/cookie").headers["Set-Cookie"] == "crumb=1; Path=/; HttpOnly"


def test_an_answer_without_a_body_has_no_type() -> None:
    """There are clients that decode what is said to be JSON."""
    answer = call("POST", "/toy/v1/things/p1/action", content=b'{"paint": {"colour": "red"}}')
    assert (answer.status_code, answer.content) == (202, b"")
    assert "Content-Type" not in answer.headers


def test_headers_carry_what_is_printable() -> None:
    answer = call("PUT", "/toy/v1/things/%E2%98%83%0D%0AX-Bad:%201")
    assert answer.headers["Location"] == "http://cloud/%E2%98%83%0D%0AX-Bad: 1"


def test_a_service_may_forbid_before_it_misses() -> None:
    discreet = Service("toy", "/toy/v1", errors.compute_shape, policy, forbidden_before_missing=True)
    discreet.get("/things/{thing_id}", policy="toy:read", load=owned)(show_thing)
    assert call("GET", "/toy/v1/things/none", services=[discreet]).status_code == 403
    assert call("GET", "/toy/v1/things/none", token="project-admin", services=[discreet]).status_code == 404
