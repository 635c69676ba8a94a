"""An API behind a real socket, for what only shows on one: streams, lost connections, unmodified clients."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

from pileus.core.config import Settings
from pileus.core.connection import Connection
from pileus.core.db import Database
from pileus.core.dispatch import App
from pileus.core.http import Authenticator, Service
from pileus.services.identity import tokens
from pileus.services.identity.bootstrap import bootstrap
from tests.support import personas
from tests.support.api import make_app

PASSWORD = "served"


class Live:
    def __init__(self, app: App) -> None:
        self.app, self.url = app, app.settings.url
        self.address = (app.settings.host, app.settings.port)

    @property
    def db(self) -> Database:
        return self.app.db

    @property
    def settings(self) -> Settings:
        return self.app.settings


@contextmanager
def serving(
    services: Sequence[Service], authenticate: Authenticator = personas.authenticate, **options: Any
) -> Iterator[Live]:
    """On a free port of the loopback, with a database and a state directory of its own; callers by persona."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield from _served(listener, services, authenticate, None, options)


@contextmanager
def with_identity(services: Sequence[Service], names: Sequence[tuple[str, str, str]], **options: Any) -> Iterator[Live]:
    """The same with real tokens. `names`: (name, type, path) for the catalog. The user is admin, of project admin."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        def prepare(db: Database) -> None:
            with db.write() as tx:
                bootstrap(tx, Settings(), PASSWORD, [(name, kind, url + path) for name, kind, path in names])

        yield from _served(listener, services, tokens.authenticate, prepare, options)


def _served(
    listener: socket.socket,
    services: Sequence[Service],
    authenticate: Authenticator,
    prepare: Callable[[Database], Any] | None,
    options: dict[str, Any],
) -> Iterator[Live]:
    app = make_app(services, None, prepare, authenticate, port=listener.getsockname()[1], **options)
    server = uvicorn.Server(uvicorn.Config(app.asgi, lifespan="off", log_level="warning", ws="none", http=Connection))
    thread = threading.Thread(target=server.run, args=([listener],), name="live-api")
    listener.listen(64)
    thread.start()
    try:
        yield Live(app)
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        app.db.close()


def environment(url: str) -> dict[str, str]:
    """What the openstack client reads, of the administrator of `with_identity`."""
    return {
        "OS_AUTH_URL": f"{url}/identity",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": PASSWORD,
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_IDENTITY_API_VERSION": "3",
        "OS_REGION_NAME": "RegionOne",
    }
