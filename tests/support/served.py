"""An API on a free loopback port, with real tokens: for clients that need a socket."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.dispatch import App
from pileus.core.http import Service
from pileus.services.identity import tokens
from pileus.services.identity.bootstrap import bootstrap
from tests.support.api import make_app

PASSWORD = "served"


@contextmanager
def served(services: Sequence[Service], names: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """The address. `names`: (name, type, path) of the services for the catalog. The user is admin, of project admin."""
    with served_app(services, names) as (url, _):
        yield url


@contextmanager
def served_app(
    services: Sequence[Service], names: Sequence[tuple[str, str, str]], **options: Any
) -> Iterator[tuple[str, App]]:
    """With the application behind it, which was started with the options."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        url = f"http://127.0.0.1:{port}"

        def prepare(db: Database) -> None:
            with db.write() as tx:
                bootstrap(tx, Settings(), PASSWORD, [(name, kind, url + path) for name, kind, path in names])

        app = make_app(services, prepare=prepare, authenticate=tokens.authenticate, **options)
        server = uvicorn.Server(uvicorn.Config(app.asgi, log_level="warning", lifespan="off"))  # type: ignore[arg-type]
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        try:
            yield url, app
        finally:
            server.should_exit = True
            thread.join(10)


def environment(url: str) -> dict[str, str]:
    """What the openstack client reads."""
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
