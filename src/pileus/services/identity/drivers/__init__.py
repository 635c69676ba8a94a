"""Where the users and groups of a domain are kept, chosen by the domain's configuration (`identity.driver`).

Whatever the driver, every user and group that is known has its row: ids, assignments, trusts and tokens refer to that, and what
only reads rows asks no driver. A driver is asked before users and groups are shown, to change them, and whether a password is
right.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import structlog

from pileus.core.config import Settings
from pileus.core.db import Database, Tx
from pileus.core.errors import ServiceUnavailable
from pileus.services.identity.drivers.protocol import Driver, Look
from pileus.services.identity.drivers.sql import SqlDriver
from pileus.services.identity.rules.domain_config import every_domain, options_of, secret_of
from pileus.services.identity.store import directory as store
from pileus.services.identity.types.directory import Kind
from pileus.services.identity.types.domain_config import LdapOptions, driver_of

__all__ = ["Driver", "Look", "driver_for", "present", "up_to_date", "visit_all"]
log = structlog.get_logger("pileus.identity")
_ROWS = SqlDriver()


def driver_for(db: Database, settings: Settings, tx: Tx, domain_id: str) -> Driver:
    """Raises ServiceUnavailable for a domain whose configuration names no driver that is here."""
    options = options_of(tx, domain_id)
    name = driver_of(options)
    if name == "sql":
        return _ROWS
    if name != "ldap":
        raise ServiceUnavailable(
            f"Users and groups of domain {domain_id} are with the driver '{name}', which is not here: set the domain's "
            "identity.driver to sql or ldap."
        )
    try:
        from pileus.services.identity.drivers import ldap
    except ImportError as error:
        raise ServiceUnavailable(
            f"Users and groups of domain {domain_id} are in a directory, and python-ldap is not installed ({error}): "
            "install pileus[ldap]."
        ) from None
    known = {**options.get("ldap", {}), "password": secret_of(tx, settings, domain_id, "ldap", "password")}
    return ldap.LdapDriver(db, domain_id, msgspec.convert(known, LdapOptions))


def present(tx: Tx, kind: Kind) -> list[Any]:
    """Conditions on users or groups: without those that have gone from a directory. None where no domain has one."""
    return [store.present(kind)] if any(driver_of(options) == "ldap" for options in every_domain(tx).values()) else []


@contextmanager
def up_to_date(db: Database, settings: Settings, tx: Tx, domain_id: str | None, look: Look) -> Iterator[Tx]:
    """A transaction that sees what is about to be shown as it is: `tx` itself where nothing has changed elsewhere.

    Without a domain there is nobody to ask: rows are shown as they were last seen.
    """
    if domain_id is None or not driver_for(db, settings, tx, domain_id).look(look):
        yield tx
        return
    with db.read() as later:
        yield later


def visit_all(db: Database, settings: Settings) -> None:
    """Let each domain's driver bring what is known up to date; one that can't be reached waits for the next time."""
    with db.read() as tx:
        domain_ids = list(every_domain(tx))
    for domain_id in domain_ids:
        try:
            with db.read() as tx:
                driver = driver_for(db, settings, tx, domain_id)
            driver.visit()
        except ServiceUnavailable as problem:
            log.warning("the users of a domain could not be looked up", domain=domain_id, reason=problem.message)
