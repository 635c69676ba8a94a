"""An API behind a real socket, for what only shows on one: streams, lost connections, unmodified clients."""

import asyncio
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.dispatch import App
from pileus.core.http import Authenticator, Service
from pileus.core.watch import Watch
from tests.support import personas


class Live:
    def __init__(self, app: App, address: tuple[str, int]) -> None:
        self.app, self.address = app, address
        self.url = f"http://{address[0]}:{address[1]}"

    @property
    def db(self) -> Database:
        return self.app.db

    @property
    def settings(self) -> Settings:
        return self.app.settings


@contextmanager
def serving(
    services: Sequence[Service],
    prepare: Callable[[Database], Any] | None = None,
    authenticate: Authenticator = personas.authenticate,
    **options: Any,
) -> Iterator[Live]:
    """On a free port of the loopback, with a database and a state directory of its own."""
    with tempfile.TemporaryDirectory(prefix="pileus-test-") as directory, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        watch = Watch()
        db = Database(f"sqlite:///{directory}/pileus.db", watch)
        db.create_tables()
        if prepare is not None:
            prepare(db)
        settings = Settings(state_dir=Path(directory), mode="sim", port=listener.getsockname()[1], **options)
        app = App(services, db, watch, authenticate, threads=4, settings=settings)
        server = uvicorn.Server(uvicorn.Config(app.asgi, lifespan="off", log_level="warning", ws="none"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])), name="live-api")
        listener.listen(64)
        thread.start()
        try:
            yield Live(app, listener.getsockname())
        finally:
            server.should_exit = True
            thread.join(timeout=20)
            db.close()
