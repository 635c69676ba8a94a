"""Lists of images, whose JSON is kept from one list to the next."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pileus.core import operator
from pileus.core.dispatch import App
from pileus.services.image.api import api
from pileus.services.image.api.shown import Kept
from pileus.services.image.protections import protections
from tests.support.api import ask, make_app

PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
call = partial(ask, "/image/v2")
ADMIN = "project-admin"


@pytest.fixture
def app() -> App:
    return make_app([api])


def made(app: App, **wish: Any) -> str:
    found = call(app, ADMIN, "POST", "/images", json={"disk_format": "raw", "container_format": "bare", **wish})
    return str(found.json()["id"])


def listed(app: App, who: str = ADMIN) -> dict[str, Any]:
    return {image["id"]: image for image in call(app, who, "GET", "/images").json()["images"]}


def test_a_list_shows_each_change_at_once(app: App) -> None:
    others = [made(app, name=f"other {number}", os_distro="debian", tags=["a"]) for number in range(3)]
    image = made(app, name="one", os_distro="debian")
    changes: list[tuple[str, str, dict[str, Any]]] = [
        ("PATCH", "", {"json": [{"op": "replace", "path": "/name", "value": "two"}], "headers": PATCH}),
        ("PATCH", "", {"json": [{"op": "add", "path": "/os_version", "value": "12"}], "headers": PATCH}),
        ("PATCH", "", {"json": [{"op": "remove", "path": "/os_distro"}], "headers": PATCH}),
        ("PUT", "/tags/blue", {}),
        ("PUT", "/tags/red", {}),
        ("DELETE", "/tags/blue", {}),
        ("PUT", "/file", {"content": b"x" * 512, "headers": {"Content-Type": "application/octet-stream"}}),
        ("POST", "/actions/deactivate", {}),
        ("POST", "/actions/reactivate", {}),
    ]
    listed(app)
    for method, path, more in changes:
        answer = call(app, ADMIN, method, f"/images/{image}{path}", **more)
        assert answer.status_code < 300, answer.text
        found = listed(app)
        assert set(found) == {image, *others}
        for each in found:
            assert found[each] == call(app, ADMIN, "GET", f"/images/{each}").json()
    assert call(app, ADMIN, "DELETE", f"/images/{image}").status_code == 204
    assert set(listed(app)) == set(others)
    again = made(app, id=image, name="again")
    assert listed(app)[again]["name"] == "again"


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(operator, "_LOOK_AGAIN", 0.0)
    found = tmp_path / "image-properties.yaml"
    protections.override_by(found)
    yield found
    found.unlink(missing_ok=True)
    protections.override_by(tmp_path / "none")


def test_what_is_protected_is_in_no_list(app: App, rules: Path) -> None:
    """Whether it was in the lists before, and is again when the operator takes the rule away."""
    member = "project-member"
    image = made(app, visibility="public", billing_code="7")
    assert listed(app, member)[image]["billing_code"] == "7"
    rules.write_text("protect: [{name: billing_.*, read: [admin]}]")
    assert "billing_code" not in listed(app, member)[image]
    assert listed(app, ADMIN)[image]["billing_code"] == "7"
    rules.unlink()
    assert listed(app, member)[image]["billing_code"] == "7"


def test_what_is_kept_has_a_limit() -> None:
    kept = Kept(100)
    kept.keep({("a", 1): b"x" * 60})
    assert kept.get(("a", 1)) == b"x" * 60
    kept.keep({("b", 1): b"x" * 60})
    assert kept.get(("a", 1)) is None
    assert kept.get(("b", 1)) is not None
    kept.keep({("c", 1): b"x" * 101})
    assert kept.get(("c", 1)) is None
