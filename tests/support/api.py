"""An API in process, without a socket: services on a fresh database, callers by persona."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from a2wsgi import ASGIMiddleware

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.dispatch import App
from pileus.core.http import Authenticator, Service
from pileus.core.watch import Watch
from tests.support import personas


def make_app(
    services: Sequence[Service],
    url: str | None = None,
    prepare: Callable[[Database], Any] | None = None,
    authenticate: Authenticator = personas.authenticate,
) -> App:
    directory = Path(tempfile.mkdtemp(prefix="pileus-test-"))
    watch = Watch()
    db = Database(url or f"sqlite:///{directory}/pileus.db", watch)
    db.create_tables()
    if prepare is not None:
        prepare(db)
    return App(services, db, watch, authenticate, threads=4, settings=Settings(state_dir=directory, mode="sim"))


def make_wsgi(
    services: Sequence[Service],
    directory: Path,
    prepare: Callable[[Database], Any] | None = None,
    authenticate: Authenticator = personas.authenticate,
) -> Any:
    """What gabbi talks to."""
    return ASGIMiddleware(make_app(services, f"sqlite:///{directory}/pileus.db", prepare, authenticate).asgi)  # type: ignore[arg-type]
