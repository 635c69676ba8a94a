"""The watch over secrets sees one that is written down."""

from typing import Any

import falcon.testing
import pytest
import structlog

from pileus.core import errors, events
from pileus.core.body import OpenBody
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.http import Response, Service
from tests.support.api import make_app
from tests.support.secrets import Secrets

api = Service("toy", "/toy/v1", errors.compute_shape)
log = structlog.get_logger()


class Thing(OpenBody):
    __wrap__ = "thing"
    password: str


@api.post("/things")
def create_thing(tx: Tx, caller: Caller, body: Thing) -> Response:
    if body.password.startswith("logged"):
        log.warning("made", thing=body.password)
    if body.password.startswith("recorded"):
        events.record(tx, caller, "toy", "create", "thing", "id", text=body.password)
    return Response({"private_key": "kept by the client"}, headers={"X-Subject-Token": "t" * 50})


@pytest.mark.parametrize("leak", ["logged", "recorded", ""])
def test_what_is_written_down_is_found(leak: str, capsys: pytest.CaptureFixture[str]) -> None:
    app = make_app([api])
    secrets = Secrets(app.asgi)
    client = falcon.testing.TestClient(secrets)  # type: ignore[arg-type]
    body: dict[str, Any] = {"thing": {"password": f"{leak} very secret"}}
    answer = client.simulate_post("/toy/v1/things", json=body, headers={"x-auth-token": "project-member"})
    assert answer.status_code == 200, answer.text
    assert secrets.known == {f"{leak} very secret", "kept by the client", "t" * 50}
    found = secrets.written_down(app.db, capsys.readouterr().out)
    assert bool(found) is bool(leak)
    app.pool.shutdown()
    app.db.close()
