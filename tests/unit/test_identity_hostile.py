"""Bad input on every route of identity: 4xx, soon, and in identity's shape."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pileus.core.http import MAX_BODY, Route
from pileus.services.identity.api import api
from tests.support.identity import Identity

ROUTES = sorted(api.routes, key=lambda route: (route.path, route.method))
WITH_BODY = [route for route in ROUTES if "body" in route.names]
LONG = "x" * 5000
BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "deep list": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "half a pair": b'{"a": "\\ud800"}',
    "a number": b"1",
    "a huge number": b"1" + b"0" * 10_000,
    "a megabyte of text": b'"' + b"x" * (MAX_BODY - 10) + b'"',
    "a megabyte of lists": b"[" + b"[]," * 340_000 + b"[]]",
    "more than a megabyte": b" " * (MAX_BODY + 1),
}


@pytest.fixture(scope="module")
def identity() -> Iterator[Identity]:
    made = Identity()
    yield made
    made.app.db.close()


def call(identity: Identity, route: Route, raw: bytes, path: str | None = None) -> Any:
    """By an administrator of everything, on things that are not there."""
    where = path or route.path
    for name in route.parameters:
        where = where.replace("{" + name + "}", "nothing").replace("{" + name + ":path}", "nothing")
    where = where if route.root else f"/identity/v3{where}"
    headers = {"content-type": "application/json", "x-auth-token": "system-admin"}
    return identity.client.simulate_request(route.method, where, body=raw, headers=headers)


def must_be_refused(answer: Any, route: Route, what: str) -> None:
    assert 400 <= answer.status_code < 500, f"{route.method} {route.path}: {what}: {answer.status_code}"
    if answer.status_code != 404 or answer.text:
        error = answer.json["error"]
        assert isinstance(error, str) or error["code"] == answer.status_code


@pytest.mark.parametrize("what", BODIES)
def test_bodies(identity: Identity, what: str) -> None:
    for route in WITH_BODY if len(BODIES[what]) < 1_000_000 else WITH_BODY[::8]:
        if route.body_is_optional and what == "nothing":
            continue
        must_be_refused(call(identity, route, BODIES[what]), route, what)


def wrapped(route: Route, fields: dict[str, Any]) -> bytes:
    wrap = getattr(route.body_type, "__wrap__", None)
    return json.dumps({wrap: fields} if wrap else fields).encode()


@pytest.mark.parametrize("text", [LONG, "a\x00b", "\x00", "", "   "])
def test_names(identity: Identity, text: str) -> None:
    """In each field that there is: none of them takes all of these."""
    for route in WITH_BODY:
        fields = getattr(route.body_type, "__struct_encode_fields__", None)
        if "name" not in (fields or ()):
            continue
        answer = call(identity, route, wrapped(route, {"name": text}))
        must_be_refused(answer, route, repr(text[:10]))


@pytest.mark.parametrize("text", ["%00", "a%00b", LONG, "%ff%fe", "%e2%80%ae", "..%2f..%2fetc", "%0d%0aX-Header:%20x"])
def test_ids_in_paths(identity: Identity, text: str) -> None:
    for route in ROUTES:
        if not route.parameters or route.root:
            continue
        path = route.path
        for name in route.parameters:
            path = path.replace("{" + name + "}", text)
        answer = call(identity, route, b"{}", path)
        assert answer.status_code < 500, f"{route.method} {path[:100]}: {answer.status_code}"
        assert answer.status_code >= 400 or route.method in ("GET", "PUT"), f"{route.method} {path[:100]}"


@pytest.mark.parametrize("query", ["a=%00", "limit=-1", "limit=x", "sort_key=;drop", "&" * 5000, "a=b&" * 2000])
def test_queries(identity: Identity, query: str) -> None:
    for route in ROUTES:
        if route.method == "GET" and not route.parameters and not route.root:
            headers = {"x-auth-token": "system-admin"}
            answer = identity.client.simulate_get(f"/identity/v3{route.path}", query_string=query, headers=headers)
            assert answer.status_code < 500, f"GET {route.path}?{query[:50]}"


@pytest.mark.parametrize(
    ("path", "noun"), [("/users", "user"), ("/groups", "group"), ("/projects", "project"), ("/domains", "domain")]
)
def test_names_that_look_alike(identity: Identity, path: str, noun: str) -> None:
    """An accent of its own makes another name of the same look."""
    composed, apart = "Ren\u00e9e", "Rene\u0301e"
    made = identity.make(path, {noun: {"name": composed}}, token="system-admin")
    refused = identity.call("POST", path, {noun: {"name": apart}}, token="system-admin")
    assert refused.status_code == 400
    assert "normal form C" in refused.json["error"]["message"]
    changed = identity.call("PATCH", f"{path}/{made['id']}", {noun: {"name": apart}}, token="system-admin")
    assert changed.status_code == 400


@pytest.mark.parametrize("header", ["x-auth-token", "x-subject-token", "x-service-token", "openstack-auth-receipt"])
@pytest.mark.parametrize("text", ["x", "gAAAAA", "gAAAA" + LONG, "\xff\xfe", "Bearer x", ""])
def test_tokens_that_are_none(identity: Identity, header: str, text: str) -> None:
    headers = {"x-auth-token": "system-admin", "x-subject-token": "none", "content-type": "application/json"}
    for method, path in (("GET", "/auth/tokens"), ("DELETE", "/auth/tokens"), ("POST", "/auth/tokens")):
        body = json.dumps({"auth": {"identity": {"methods": ["token"], "token": {"id": text}}}})
        sent = headers | {header: text}
        answer = identity.client.simulate_request(method, f"/identity/v3{path}", body=body, headers=sent)
        assert 400 <= answer.status_code < 500
