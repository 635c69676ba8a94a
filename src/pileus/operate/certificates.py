"""The control plane's own certificate: made, renewed before it ends, and shown by the API without a restart."""

from __future__ import annotations

import fcntl
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

from pileus.core import authority
from pileus.core.config import Settings, host_name
from pileus.core.db import Database
from pileus.core.tls import Folder
from pileus.services.compute.rules import join
from pileus.services.identity.rules import authorities

log = structlog.get_logger("pileus.tls")


def ensure(settings: Settings, db: Database) -> Folder:
    """STATE/tls has the authority's certificate, and one of our own for the address that we listen on."""
    return _ensure(settings, db, settings.tls, authorities.CLOUD, [settings.host])


def ensure_for_ovn(settings: Settings, db: Database) -> Folder:
    """The same for OVN's northbound database, which believes the control plane's authority alone, at any address."""
    return _ensure(settings, db, settings.tls_of_ovn, authorities.CONTROL_PLANE, [])


def _ensure(
    settings: Settings, db: Database, directory: Path, name: authorities.Name, addresses: Sequence[str]
) -> Folder:
    folder = Folder(directory)
    with _alone(directory):
        if folder.is_for(addresses):
            return folder
        with db.write() as tx:
            signer = authorities.ensure(tx, settings, name)
        request = authority.request_for(folder.ensure_key(), authority.CONTROL_PLANE)
        signed = signer.sign(request, "control plane", authority.CONTROL_PLANE, addresses)
        folder.keep(signed, signer.certificate)
        log.info("a certificate was made", by=name, addresses=list(addresses), until=str(authority.expiry(signed)))
    return folder


def ensure_host(settings: Settings, db: Database) -> Folder:
    """This machine is a host of its own cloud by certificate, as those that join; its agent renews it as theirs do."""
    folder, name = Folder(settings.tls / "host"), host_name()
    request = authority.request_for(folder.ensure_key(), name)
    with db.write() as tx:
        signer = authorities.ensure(tx, settings)
        folder.keep(join.certify_own(tx, settings, name, request), signer.certificate)
    return folder


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Several API processes may share the folder."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Certificates:
    """What the API shows: to clients a given certificate, if there is one; to hosts always that of our authority."""

    def __init__(self, settings: Settings, db: Database) -> None:
        self._settings, self._db = settings, db
        self._folder = ensure(settings, db)
        self._own = self._folder.server_context(strangers=True)
        self._given: ssl.SSLContext | None = None
        if settings.certificate is not None:
            # Whether a certificate is asked for is settled before the name is known.
            self._given = self._folder.server_context(strangers=True)
            self._given.sni_callback = self._choose
            self._load_given()
        self._loaded = self._times()

    @property
    def context(self) -> ssl.SSLContext:
        return self._given or self._own

    def look(self) -> None:
        """Renew what ends soon, and take over files that have changed, for all connections made from now on."""
        ensure(self._settings, self._db)
        if self._settings.northbound:
            ensure_for_ovn(self._settings, self._db)
        times = self._times()
        if times == self._loaded:
            return
        self._folder.load_own(self._own)
        self._load_given()
        self._loaded = times

    def factory(self) -> Callable[..., ssl.SSLContext]:
        """As uvicorn wants it."""
        return lambda *_: self.context

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name == authority.CONTROL_PLANE:
            connection.context = self._own

    def _load_given(self) -> None:
        if self._given is not None and self._settings.certificate is not None:
            self._given.load_cert_chain(self._settings.certificate, self._settings.certificate_key)

    def _times(self) -> list[float]:
        files: list[Path | None] = [self._folder.certificate, self._settings.certificate]
        return [file.stat().st_mtime for file in files if file is not None]
