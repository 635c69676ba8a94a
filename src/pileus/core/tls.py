"""TLS with certificates of the cloud's own authority: the files, the contexts, and who is at the other end.

A folder holds `ca.pem`, and `own.pem` with `own.key` of whoever the folder is. Control plane and hosts keep it alike.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Collection
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from pileus.core import authority
from pileus.core.connection import Connection


class Peer(msgspec.Struct, frozen=True):
    """Who has shown a certificate of our authority."""

    role: str
    name: str
    key_hash: str


class Folder:
    """`directory` with certificates. What is not there yet raises OSError where it is needed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = directory / "ca.pem"
        self.certificate = directory / "own.pem"
        self.key = directory / "own.key"

    def ensure_key(self) -> str:
        """The private key; made when there is none. It never leaves the folder."""
        if not self.key.exists():
            self.directory.mkdir(parents=True, exist_ok=True)
            self._write(self.key, authority.new_key(), 0o600)
        return self.key.read_text()

    def is_for(self, addresses: Collection[str]) -> bool:
        """There is a certificate that need not be renewed yet, and has these addresses."""
        return not self.is_due() and authority.addresses_of(self.certificate.read_text()) >= set(addresses)

    def keep(self, certificate: str, ca: str) -> None:
        self._write(self.authority, ca, 0o644)
        self._write(self.certificate, certificate, 0o644)

    def is_due(self) -> bool:
        """There is no certificate, or it ends within 30 days."""
        if not self.certificate.exists():
            return True
        left = authority.expiry(self.certificate.read_text()) - datetime.now(UTC)
        return left < authority.RENEWED_BEFORE

    def server_context(self, strangers: bool) -> ssl.SSLContext:
        """`strangers`: clients need not show a certificate; one that is shown must be of our authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_OPTIONAL if strangers else ssl.CERT_REQUIRED
        context.load_verify_locations(self.authority)
        self.load_own(context)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Trusts our authority alone; shows our certificate where we have one."""
        context = trusting(self.authority.read_text())
        if self.certificate.exists():
            self.load_own(context)
        return context

    def load_own(self, context: ssl.SSLContext) -> None:
        """Also into a context that is in use: connections made from now on have the new certificate."""
        context.load_cert_chain(self.certificate, self.key)

    def _write(self, path: Path, text: str, mode: int) -> None:
        new = path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
            file.write(text)
        new.replace(path)


def trusting(ca: str) -> ssl.SSLContext:
    """A client's context that trusts this authority and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ca)
    return context


def believing_anybody() -> ssl.SSLContext:
    """A client's context for what is compared by other means, or does not matter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def peer_of(transport: Any) -> Peer | None:
    """Who is at the other end of a connection; None for those who have shown no certificate."""
    connection = transport.get_extra_info("ssl_object")
    der = connection.getpeercert(binary_form=True) if connection else None
    if not der:
        return None
    subject = {key: value for pairs in connection.getpeercert()["subject"] for key, value in pairs}
    return Peer(subject.get("organizationName", ""), subject.get("commonName", ""), _key_hash(der))


_key_hash = lru_cache(1024)(authority.key_of_certificate)


class PeerConnection(Connection):
    """Puts the Peer into each request's scope: scope["state"]["peer"]."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, "peer": peer_of(transport)}


class ControlPlaneOnly(Connection):
    """For the control plane alone: a host's certificate opens nothing here."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        peer = peer_of(transport)
        if peer is None or peer.role != "control plane":
            transport.abort()
