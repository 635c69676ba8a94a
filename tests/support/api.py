"""An API in process, without a socket: services on a fresh database, callers by persona.

The database is SQLite, or what PILEUS_TEST_DATABASE says: sqlite, postgresql.
"""

import asyncio
import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.dispatch import App
from pileus.core.http import Authenticator, Service
from pileus.core.watch import Watch
from tests.support import personas, postgres


def make_app(
    services: Sequence[Service],
    url: str | None = None,
    prepare: Callable[[Database], Any] | None = None,
    authenticate: Authenticator = personas.authenticate,
    **options: Any,
) -> App:
    """`options` are settings."""
    directory = Path(tempfile.mkdtemp(prefix="pileus-test-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    watch = Watch()
    db = Database(url or postgres.new_url(os.environ.get("PILEUS_TEST_DATABASE", "sqlite"), directory), watch)
    db.create_tables()
    if prepare is not None:
        prepare(db)
    settings = Settings(state_dir=directory, mode="sim", **options)
    return App(services, db, watch, authenticate, threads=4, settings=settings)


def ask(prefix: str, app: App, who: str, method: str, path: str, **more: Any) -> httpx.Response:
    """One request of the persona `who`, to a path below the service's prefix."""

    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(app=app.asgi)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url=f"http://cloud{prefix}") as client:
            headers = {"X-Auth-Token": who} | more.pop("headers", {})
            return await client.request(method, path, headers=headers, **more)

    return asyncio.run(go())
