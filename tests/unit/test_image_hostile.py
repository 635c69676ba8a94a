"""Whatever is sent to the image service, it answers; what can't be is refused, never a failure of ours."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pileus.core.dispatch import App
from pileus.services.image.api import api
from pileus.services.image.types.images import SETTABLE
from tests.support.api import ask, make_app
from tests.support.postgres import DATABASES, new_url

IMAGE = "11111111-2222-4333-8444-555555555555"
NAMES = (
    st.sampled_from([*sorted(SETTABLE), "id", "size", "locations", "os_glance_x", "x"])
    | st.text(max_size=300)
    | st.just("x\x00")
)
TEXT = st.text(max_size=300) | st.sampled_from(["\x00", "a\x00b"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
SLOWLY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module", params=DATABASES)
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> App:
    found = make_app([api], new_url(request.param, tmp_path_factory.mktemp("hostile")))
    assert call(found, "POST", "/images", json={"id": IMAGE, "disk_format": "raw", "container_format": "bare"}) == 201
    assert call(found, "POST", "/metadefs/namespaces", json={"namespace": "ns"}) == 201
    return found


def call(app: App, method: str, path: str, **more: Any) -> int:
    return ask("/image/v2", app, "project-admin", method, path, **more).status_code


def encoded(value: Any) -> bytes:
    import json

    return json.dumps(value).encode("utf-8", "replace")


@SLOWLY
@given(body=st.dictionaries(NAMES, JSON, max_size=5) | JSON)
def test_bodies(app: App, body: Any) -> None:
    routes = [
        ("POST", "/images"),
        ("POST", f"/images/{IMAGE}/members"),
        ("POST", f"/images/{IMAGE}/import"),
        ("POST", "/tasks"),
        ("POST", "/metadefs/namespaces"),
        ("POST", "/metadefs/namespaces/ns/objects"),
        ("POST", "/metadefs/namespaces/ns/properties"),
        ("POST", "/metadefs/namespaces/ns/tags"),
        ("POST", "/metadefs/namespaces/ns/resource_types"),
        ("PUT", "/metadefs/namespaces/ns"),
    ]
    for method, path in routes:
        assert call(app, method, path, content=encoded(body)) < 500


@SLOWLY
@given(
    changes=st.lists(
        st.fixed_dictionaries(
            {"op": st.sampled_from(["add", "replace", "remove", "move"]), "path": NAMES.map(lambda name: "/" + name)},
            optional={"value": JSON},
        ),
        max_size=4,
    )
)
def test_patches(app: App, changes: Any) -> None:
    kind = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    assert call(app, "PATCH", f"/images/{IMAGE}", content=encoded(changes), headers=kind) < 500


@SLOWLY
@given(
    query=st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "limit",
                    "marker",
                    "sort",
                    "sort_key",
                    "sort_dir",
                    "name",
                    "size_min",
                    "created_at",
                    "tag",
                    "visibility",
                    "member_status",
                    "os_hidden",
                    "protected",
                    "owner",
                    "size",
                    "status",
                    "x",
                ]
            ),
            st.text(max_size=40)
            | st.sampled_from(["in:a,b", "gt:2026-01-01", "name:asc", "1", "true", "all", "a\x00"]),
        ),
        max_size=5,
    )
)
def test_queries(app: App, query: list[tuple[str, str]]) -> None:
    for path in ("/images", "/tasks", "/metadefs/namespaces", "/metadefs/namespaces/ns/tags"):
        assert call(app, "GET", path, params=query) < 500


@SLOWLY
@given(name=st.text(min_size=1, max_size=300))
def test_names_in_paths(app: App, name: str) -> None:
    from urllib.parse import quote

    part = quote(name.encode("utf-8", "replace"), safe="")
    for method, path in (
        ("GET", f"/images/{part}"),
        ("PUT", f"/images/{IMAGE}/tags/{part}"),
        ("DELETE", f"/images/{IMAGE}/tags/{part}"),
        ("GET", f"/images/{IMAGE}/members/{part}"),
        ("POST", f"/metadefs/namespaces/ns/tags/{part}"),
        ("GET", f"/metadefs/namespaces/{part}"),
        ("GET", f"/tasks/{part}"),
    ):
        assert call(app, method, path) < 500
