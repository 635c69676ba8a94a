"""`pileus api` and `pileus controller`: more processes of a cloud whose database is a PostgreSQL.

They stay in front, as service managers and containers want it. `pileus up` has made the cloud; what all its processes
must have the same is read from the database.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from contextlib import closing
from importlib.util import find_spec

import msgspec
import structlog
from sqlalchemy.exc import DBAPIError

from pileus.cloud import Cloud, northbound, settled
from pileus.core import logs
from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.schema import OtherSchema
from pileus.operate import certificates, state
from pileus.operate.child import Child, look_after, until_told
from pileus.operate.options import OptionError, check_port_free
from pileus.operate.server import Server
from pileus.services.identity.rules.sealing import WrongKey

log = structlog.get_logger("pileus.serve")
WORKER = "PILEUS_API_SOCKET"
"""The environment variable with the listening socket that an API worker inherits."""
_LOOK_AT_CERTIFICATES = 3600.0
"""Seconds between two looks of a controller whether its own ends soon."""


def api(settings: Settings, processes: int) -> int:
    """Serve the API by so many processes on one port until SIGTERM or SIGINT. One that ends is started again."""
    if not 1 <= processes <= 256:
        raise OptionError(f"--processes is {processes}: from 1 to 256 processes can serve.")
    settings = _joined(settings)
    check_port_free(settings)
    with socket.create_server((settings.host, settings.port), backlog=1024) as listener:
        listener.set_inheritable(True)
        if processes == 1:
            return serve_api(settings, listener)
        numbers = settings.state_dir / "run" / f"metrics-{settings.port}"
        shutil.rmtree(numbers, ignore_errors=True)
        numbers.mkdir()
        environment = {
            WORKER: str(listener.fileno()),
            "PROMETHEUS_MULTIPROC_DIR": str(numbers),
            "PILEUS_SETTINGS": msgspec.json.encode(settings, enc_hook=str).decode(),
        }
        command = [sys.executable, "-m", "pileus", "api", "--state-dir", str(settings.state_dir)]
        children = [
            Child(f"API process {number}", command, environment=environment, sockets=[listener.fileno()])
            for number in range(1, processes + 1)
        ]
        logs.configure()
        return look_after(children)


def serve_api(settings: Settings, listener: socket.socket, parent: int | None = None) -> int:
    """One process of the API, on a socket that may be shared with others; it ends with its parent, if it has one."""
    logs.configure()
    cloud = Cloud(settings)
    log.info("serving", url=settings.url, pid=os.getpid())
    try:
        Server(cloud.app, settings, parent=parent).run([listener])
    finally:
        cloud.close()
    return 0


def controller(settings: Settings) -> int:
    """Run reconcilers until SIGTERM or SIGINT: each only while no other process has its lease."""
    settings = _joined(settings)
    logs.configure()
    elsewhere = _northbound(settings)
    cloud = Cloud(settings, elsewhere)
    cloud.controller.start()
    log.info("controlling", owner=cloud.controller.owner, northbound=elsewhere or "here")
    ended = until_told()
    try:
        while not ended.wait(_LOOK_AT_CERTIFICATES):
            if elsewhere:
                _renew(settings, cloud.db)
    finally:
        cloud.close()
    return 0


def _renew(settings: Settings, db: Database) -> None:
    try:
        certificates.ensure_for_ovn(settings, db)
    except DBAPIError as error:
        log.warning("the certificate could not be looked at, and will be again", reason=str(error.orig).strip())


def _northbound(settings: Settings) -> str:
    """Where OVN's databases are, if not on this machine; then with what they believe. Raises OptionError."""
    if settings.mode == "sim":
        return ""
    from pileus.services.network.ovn import ovsdb
    from pileus.supervise import ovn

    if ovn.is_central(settings.state_dir):
        return ""
    with closing(Database(settings.database_url)) as db:
        found = northbound(db)
        if not found:
            raise OptionError(
                "OVN's databases serve the machine of 'pileus up' alone: give it an address that this one reaches, by "
                "'pileus up --host ADDRESS'."
            )
        ovsdb.show(certificates.ensure_for_ovn(settings, db))
    return found


def _joined(settings: Settings) -> Settings:
    """The settings within the cloud that is in the database."""
    if settings.database is None:
        raise OptionError(
            "More processes share a PostgreSQL: 'pileus control join' tells a machine of it, or name it by --database "
            "postgresql+psycopg://USER@HOST/NAME ('pileus database move' brings a cloud there from its SQLite file)."
        )
    try:
        found = settled(settings)
    except (OtherSchema, WrongKey) as error:
        raise OptionError(str(error)) from None
    if found.mode == "real":
        _check_modules()
    state.prepare(found.state_dir, found.mode)
    return found


def _check_modules() -> None:
    lacking = [module for module in ("ovs", "ovsdbapp") if find_spec(module) is None]
    if lacking:
        raise OptionError(f"A real cloud needs Python modules ({', '.join(lacking)}): pip install 'pileus[real]'")
