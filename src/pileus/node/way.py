"""The two ways in which an agent and the control plane know each other.

On loopback, and for simulated hosts, the agent that `pileus up` starts itself has a token, and listens on loopback. One of
a host that other machines can reach has a certificate, shows it, and takes connections of nobody but the control plane.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import structlog

from pileus.core import authority
from pileus.core.config import AGENT_PORT, bracketed
from pileus.core.connection import Connection
from pileus.core.tls import ControlPlaneOnly, Folder, trusting
from pileus.node.client import ControlPlane, Refused
from pileus.node.desired import proof

log = structlog.get_logger("pileus.agent")
LOOK_EVERY = 3600.0
"""Seconds between two looks whether the certificate ends soon."""


class Local:
    """`authority`: the file with the control plane's authority, where it speaks TLS."""

    protocol: type[Connection] = Connection
    ssl_context_factory: Callable[..., ssl.SSLContext] | None = None

    def __init__(self, state_dir: Path, authority: Path | None) -> None:
        self.token = (state_dir / "run" / "host-token").read_text().strip()
        self.proof: str | None = proof(self.token)
        self.context = trusting(authority.read_text()) if authority else None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def keep_certified(self, control: ControlPlane) -> None:
        """Nothing to do: a token does not end."""


class Joined:
    """`directory`: the folder of certificates. `address`: where to listen for the control plane."""

    token = ""
    proof: str | None = None
    protocol: type[Connection] = ControlPlaneOnly

    def __init__(self, directory: Path, address: str) -> None:
        self._folder = Folder(directory)
        self.context: ssl.SSLContext | None = self._folder.client_context()
        server = self._folder.server_context(strangers=False)
        self.ssl_context_factory: Callable[..., ssl.SSLContext] | None = lambda *_: server
        self._contexts = [self.context, server]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.create_server((address, AGENT_PORT), family=family)
        self.url = f"https://{bracketed(address)}:{AGENT_PORT}"

    def keep_certified(self, control: ControlPlane) -> None:
        threading.Thread(target=self._renew, args=(control,), name="certificate", daemon=True).start()

    def _renew(self, control: ControlPlane) -> None:
        pause = threading.Event()
        while True:
            try:
                if self._folder.is_due():
                    self.renew(control)
            except (OSError, httpx.TransportError, Refused) as error:
                log.warning("the certificate could not be renewed", reason=str(error))
            pause.wait(LOOK_EVERY)

    def renew(self, control: ControlPlane) -> None:
        """A new certificate for the same key; connections made from now on show it."""
        certificate = control.renew(authority.request_for(self._folder.ensure_key(), "host"))
        self._folder.keep(certificate, self._folder.authority.read_text())
        for context in self._contexts:
            self._folder.load_own(context)
        log.info("the certificate was renewed", until=str(authority.expiry(certificate)))
