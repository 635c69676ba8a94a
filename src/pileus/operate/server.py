"""The HTTP server of one process."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import time
from collections.abc import Sequence
from types import FrameType

import structlog
import uvicorn

from pileus.core.config import Settings
from pileus.core.dispatch import App
from pileus.core.files import raise_open_files
from pileus.core.tls import PeerConnection
from pileus.operate.certificates import Certificates
from pileus.operate.child import Child

log = structlog.get_logger("pileus.serve")
FEW_FILES = 4096
LOOK_AT_CERTIFICATES = 60.0
"""Seconds between two looks whether they end soon."""


class Server(uvicorn.Server):
    """Serves until SIGTERM or SIGINT, and looks after `children` meanwhile. A `parent` that goes away ends it too."""

    def __init__(self, app: App, settings: Settings, children: Sequence[Child] = (), parent: int | None = None) -> None:
        self._children, self._parent = children, parent
        self._certificates = Certificates(settings, app.db) if settings.secure else None
        super().__init__(
            uvicorn.Config(
                app.asgi,
                host=settings.host,
                port=settings.port,
                loop="uvloop",
                http=PeerConnection,
                ssl_context_factory=self._certificates.factory() if self._certificates else None,
                ws="websockets-sansio",
                lifespan="off",
                log_level="warning",
                access_log=False,
                timeout_keep_alive=75,
                backlog=4096,
                timeout_graceful_shutdown=5,
                server_header=False,
            )
        )

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        most = raise_open_files()
        if 0 <= most < FEW_FILES:
            log.warning(
                f"This process may have {most} files open, and so fewer connections; a host has one or two. "
                "Raise the hard limit of open files (ulimit -Hn; LimitNOFILE= of a systemd unit)."
            )
        watcher = asyncio.create_task(self._watch())
        # What has been made until now stays for good: to look through it again and again stops all requests for 0.1 s.
        gc.freeze()
        gc.set_threshold(10_000, 10)  # one long list makes some thousand objects
        try:
            await super().serve(sockets)
        finally:
            watcher.cancel()

    async def _watch(self) -> None:
        looked = time.monotonic()
        while not self.should_exit:
            await asyncio.sleep(1.0)
            if self._certificates and time.monotonic() - looked > LOOK_AT_CERTIFICATES:
                await asyncio.to_thread(self._certificates.look)
                looked = time.monotonic()
            for child in self._children:
                await asyncio.to_thread(child.look)
            if self._parent is not None and os.getppid() != self._parent:
                self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True
        if sig == signal.SIGINT and self.started:
            self.force_exit = False
