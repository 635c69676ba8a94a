"""`pileus control join`: this machine becomes one of the control plane, where `pileus api` and `pileus controller` serve."""

from __future__ import annotations

import ipaddress
from contextlib import closing

import httpx
import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

import pileus.cloud as cloud
from pileus.core.config import Settings, host_name
from pileus.core.db import Database
from pileus.core.schema import OtherSchema
from pileus.core.tls import Folder
from pileus.node.client import Refused
from pileus.node.desired import ControlKeys, ControlRequest
from pileus.operate import access, certificates, membership, options, state, trust, underlay, up
from pileus.operate.options import OptionError
from pileus.services.identity.rules import sealing
from pileus.services.identity.rules.sealing import WrongKey


def join(settings: Settings, url: str, token: str, given: bool) -> Settings:
    """Take over what a machine of the control plane must have; returns what it will serve with.

    `given`: the settings' host is this machine's address; else it is guessed. Raises OptionError, leaving the machine as
    it was; but the token has been used where the cloud has answered it.
    """
    found = trust.cloud_at(url, token, "pileus control token")
    wanted = msgspec.structs.replace(
        settings,
        mode=found.authority.mode,
        host=settings.host if given else underlay.address_towards(found.url),
    )
    _check(wanted, found)
    with up.whole_or_not_at_all(wanted):
        state.prepare(wanted.state_dir, wanted.mode)
        keys = _let_in(found)
        wanted = msgspec.structs.replace(wanted, database=_database(settings.database, keys.database))
        _keep(wanted, keys)
        joined = _settled(wanted)
        membership.write_control(wanted.state_dir, found.url)
        if keys.admin_password:
            access.write(joined)
    return joined


def _check(settings: Settings, found: trust.Cloud) -> None:
    """Raises OptionError where the directory is another's, or the address is not for other machines."""
    options.check(settings)
    state.check(settings.state_dir, settings.mode)
    known = membership.control_url(settings.state_dir) is not None
    if membership.read(settings.state_dir) is not None or (state.is_ours(settings.state_dir) and not known):
        raise OptionError(
            f"{settings.state_dir} is that of a cloud or of a host: choose another --state-dir for the control plane's."
        )
    ours = Folder(settings.tls).authority
    if ours.exists() and ours.read_text() != found.authority.certificate:
        raise OptionError(f"{settings.state_dir} is of another cloud's control plane: choose another --state-dir.")
    if not settings.secure:
        raise OptionError(f"--host is {settings.host}: other machines can't reach this one there.")


def _let_in(found: trust.Cloud) -> ControlKeys:
    try:
        return found.control_plane(host_name()).control(ControlRequest(token=found.token, host=host_name()))
    except httpx.TransportError as error:
        raise OptionError(f"{found.url} does not answer: {error}.") from None
    except Refused as error:
        raise OptionError(f"The cloud does not let this machine in. {error}") from None


def _database(given: str | None, told: str) -> str:
    """The database as it is reached from here. Raises OptionError."""
    if given is None and _is_of_one_machine(told):
        raise OptionError(
            f"The cloud's machine reaches its database as {_shown(told)}, which is that machine's own: say by --database "
            "postgresql+psycopg://USER:PASSWORD@HOST/NAME how this one does (PostgreSQL's listen_addresses and pg_hba.conf "
            "let it in)."
        )
    url = given or told
    try:
        with closing(Database(url)) as db, db.engine.connect():
            return url
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", error)).strip()
        raise OptionError(
            f"The cloud's database does not answer here as {_shown(url)}: {reason}. Let this machine in (PostgreSQL's "
            "listen_addresses and pg_hba.conf), or say by --database how it is reached."
        ) from None


def _is_of_one_machine(url: str) -> bool:
    parsed = sa.make_url(url)
    host = parsed.host or str(parsed.query.get("host", ""))
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("", "localhost") or host.startswith("/")


def _shown(url: str) -> str:
    return sa.make_url(url).render_as_string(hide_password=True)


def _keep(settings: Settings, keys: ControlKeys) -> None:
    state.write_private(settings.state_dir / sealing.FILE, keys.credential_key)
    if keys.admin_password:
        state.write_private(settings.admin_password_file, keys.admin_password)
    state.remember(settings.state_dir, {"host": settings.host, "port": settings.port, "database": settings.database})


def _settled(settings: Settings) -> Settings:
    """With what all processes have the same, and certificates. Raises OptionError where the database is another cloud's."""
    try:
        joined = cloud.settled(settings)
    except (OtherSchema, WrongKey) as error:
        raise OptionError(str(error)) from None
    with closing(Database(joined.database_url)) as db:
        certificates.ensure(joined, db)
    return joined
