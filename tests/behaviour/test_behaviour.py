"""Runs tests/behaviour/<service>/*.yaml with gabbi, in process.

Each service's folder has a `setup.py` with `services() -> list[Service]`, and where needed `prepare(db)`,
`authenticate` in the place of the personas', and `ENVIRON: dict[str, str]` for `$ENVIRON['X']` in the YAML. Each file runs on a database of its own, its tests in order;
at its end no secret that went over the API may stand in the log or among the events.
"""

import importlib
import io
import unittest
import uuid
from pathlib import Path

import pytest
import yaml
from a2wsgi import ASGIMiddleware
from gabbi import handlers, suitemaker

from tests.support import personas
from tests.support.api import make_app
from tests.support.secrets import Secrets

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*/*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_behaviour(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    setup = importlib.import_module(f"tests.behaviour.{file.parent.name}.setup")
    for name, value in getattr(setup, "ENVIRON", {}).items():
        monkeypatch.setenv(name, value)
    authenticate = getattr(setup, "authenticate", personas.authenticate)
    app = make_app(setup.services(), None, getattr(setup, "prepare", None), authenticate)
    secrets = Secrets(app.asgi)
    wsgi = ASGIMiddleware(secrets)
    suite = suitemaker.test_suite_from_dict(
        unittest.TestLoader(),
        file.stem,
        yaml.safe_load(file.read_text()),
        str(file.parent),
        str(uuid.uuid4()),
        80,
        None,
        lambda: wsgi,
        handlers=[handler() for handler in handlers.RESPONSE_HANDLERS],
        test_loader_name="behaviour",
    )
    output = io.StringIO()
    result = unittest.TextTestRunner(output).run(suite)
    if not result.wasSuccessful():
        pytest.fail(output.getvalue(), pytrace=False)
    assert result.testsRun > 0, f"{file} has no tests"
    assert not secrets.written_down(app.db, capsys.readouterr().out + caplog.text)
