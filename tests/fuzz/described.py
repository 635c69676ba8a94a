"""Requests that schemathesis makes from the OpenAPI documents: such as fit them, and such as do not."""

from collections.abc import Iterator
from typing import Any

import requests as http
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from pileus.core import openapi
from tests.fuzz.world import SERVICES, Request, World

BASE = "http://cloud"


def operations() -> Iterator[Any]:
    """Of all services, in the newest version."""
    for service in SERVICES:
        for found in schemathesis.openapi.from_dict(openapi.document(service)).get_all_operations():
            assert isinstance(found, Ok), found
            yield found.ok()


def requests(operation: Any, world: World) -> st.SearchStrategy[Request]:
    """Half of them name what there is in their paths."""
    modes = [GenerationMode.POSITIVE]
    if operation.path_parameters or operation.query or operation.body:
        modes.append(GenerationMode.NEGATIVE)
    cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])
    ids = {name: world.known.of_parameter(operation.path, name) for name in _parameters(operation.path)}

    @st.composite
    def made(draw: st.DrawFn) -> Request:
        case = draw(cases)
        for name, known in ids.items():
            if known and (name not in (case.path_parameters or {}) or draw(st.integers(0, 3))):
                case.path_parameters = {**(case.path_parameters or {}), name: draw(st.sampled_from(known))}
        version = draw(st.sampled_from(["compute 2.104, placement 1.39", "compute latest, placement latest", ""]))
        return _request(case, version, world)

    return made()


def _parameters(path: str) -> list[str]:
    return [part[1:-1].split(":")[0] for part in path.split("/") if part.startswith("{")]


def _request(case: Any, version: str, world: World) -> Request:
    given = case.as_transport_kwargs(base_url=BASE)
    ready = http.Request(**{key: value for key, value in given.items() if key != "cookies"}).prepare()
    assert ready.url is not None
    path, _, query = ready.url.removeprefix(BASE).partition("?")
    body = ready.body or b""
    headers = {"X-Auth-Token": world.token, "OpenStack-API-Version": version}
    if ready.headers.get("Content-Type"):
        headers["Content-Type"] = ready.headers["Content-Type"]
    if "/auth/tokens" in path:
        headers["X-Subject-Token"] = world.token
    raw = body.encode() if isinstance(body, str) else bytes(body)
    return Request(str(ready.method), path or "/", query.encode(), tuple(headers.items()), raw)
