"""Properties that the operator protects, and those that imports get."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from pileus.core import operator
from pileus.core.dispatch import App
from pileus.services.image.api import api
from pileus.services.image.protections import protections
from tests.support.api import ask, make_app
from tests.support.personas import persona

RULES = """
protect:
  - name: billing_.*
    create: [manager]
    read: [manager, admin]
    update: [manager]
    delete: []
  - name: os_.*
    update: ["rule:publicize_image"]
  - name: x
    delete: ["@"]
    create: []
inject:
  unless: [admin]
  properties: {imported: "yes"}
"""
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
call = partial(ask, "/image/v2")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(operator, "_LOOK_AGAIN", 0.0)
    found = tmp_path / "image-properties.yaml"
    found.write_text(RULES)
    protections.override_by(found)
    yield found
    protections.override_by(tmp_path / "none")


@pytest.fixture
def app(file: Path) -> App:
    return make_app([api])


def change(app: App, who: str, image_id: str, *changes: dict[str, str]) -> httpx.Response:
    return call(app, who, "PATCH", f"/images/{image_id}", json=list(changes), headers=PATCH)


def test_who_may_what(app: App) -> None:
    refused = call(app, "project-member", "POST", "/images", json={"billing_code": "7"})
    assert refused.status_code == 403
    assert "Property 'billing_code' is protected: you may not create it." in refused.text
    made = call(
        app, "project-manager", "POST", "/images", json={"billing_code": "7", "os_type": "a", "free": "b"}
    ).json()
    path = f"/images/{made['id']}"
    assert made["billing_code"] == "7"
    assert "billing_code" not in call(app, "project-member", "GET", path).json()
    assert call(app, "project-member", "GET", "/images?billing_code=7").json()["images"] == []
    assert len(call(app, "project-manager", "GET", "/images?billing_code=7").json()["images"]) == 1
    for changes in (
        {"op": "replace", "path": "/billing_code", "value": "8"},
        {"op": "add", "path": "/billing_code", "value": "8"},
        {"op": "remove", "path": "/billing_code"},
        {"op": "add", "path": "/x", "value": "8"},
        {"op": "replace", "path": "/os_type", "value": "8"},
    ):
        answer = change(app, "project-member", made["id"], changes)
        assert (answer.status_code, "is protected" in answer.text) == (403, True)
    shown = change(app, "project-member", made["id"], {"op": "replace", "path": "/free", "value": "c"}).json()
    assert (shown["free"], "billing_code" in shown) == ("c", False)
    assert call(app, "project-manager", "GET", path).json()["billing_code"] == "7"
    answer = change(app, "project-manager", made["id"], {"op": "replace", "path": "/billing_code", "value": "8"})
    assert answer.json()["billing_code"] == "8"
    assert change(app, "project-manager", made["id"], {"op": "remove", "path": "/billing_code"}).status_code == 403
    assert (
        change(app, "project-admin", made["id"], {"op": "replace", "path": "/os_type", "value": "d"}).status_code == 200
    )
    assert change(app, "project-member", made["id"], {"op": "remove", "path": "/os_type"}).status_code == 200


def test_it_is_read_again(app: App, file: Path) -> None:
    file.write_text("protect: [{name: free, create: []}]")
    assert call(app, "project-member", "POST", "/images", json={"billing_code": "7"}).status_code == 201
    assert call(app, "project-member", "POST", "/images", json={"free": "7"}).status_code == 403
    file.unlink()
    assert call(app, "project-member", "POST", "/images", json={"free": "7"}).status_code == 201


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("protect: [{name: '(((', create: []}]", "missing"),
        ("protect: [{nam: a}]", "unknown field"),
        ("protect: [{name: a, read: ['rule:nothing']}]", "rule:nothing"),
        ("- a", "Expected `object`"),
        ("a: [", "expected the node content"),
    ],
)
def test_a_broken_file_changes_nothing(app: App, file: Path, text: str, reason: str) -> None:
    assert call(app, "project-member", "POST", "/images", json={"billing_code": "7"}).status_code == 403
    file.write_text(text)
    assert call(app, "project-member", "POST", "/images", json={"billing_code": "7"}).status_code == 403
    assert reason in protections.trouble


def test_what_imports_get(file: Path) -> None:
    assert protections.injected(persona("project-member")) == {"imported": "yes"}
    assert protections.injected(persona("project-admin")) == {}
