"""The options of domains."""

from __future__ import annotations

import sqlalchemy as sa

from pileus.core.db import Tx
from pileus.services.identity.store import rows
from pileus.services.identity.tables import domain_options
from pileus.services.identity.types.domain_config import Config

_c = domain_options.c


def every(tx: Tx) -> dict[str, Config]:
    """The configuration of each domain that has one, by its id."""
    found: dict[str, Config] = {}
    for domain_id, group, name, value in tx.execute(sa.select(domain_options).order_by(*_c)):
        found.setdefault(domain_id, {}).setdefault(group, {})[name] = value
    return found


def put(tx: Tx, domain_id: str, config: Config) -> None:
    rows.touch(tx)
    for group, options in config.items():
        for name, value in options.items():
            tx.upsert(domain_options, {"domain_id": domain_id, "group": group, "name": name}, {"value": value})


def forget(tx: Tx, domain_id: str, group: str | None = None, name: str | None = None) -> None:
    """All of a domain, of one of its groups, or one option."""
    rows.touch(tx)
    wanted = {"domain_id": domain_id, "group": group, "name": name}
    tx.delete(domain_options, sa.and_(*[_c[column] == value for column, value in wanted.items() if value is not None]))
