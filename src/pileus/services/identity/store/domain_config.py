"""The options of domains."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from pileus.core.db import Tx, new_hex_id
from pileus.services.identity.store import rows
from pileus.services.identity.tables import domain_options, domain_secrets
from pileus.services.identity.types.domain_config import Config

_SECRETS = domain_secrets.c


def every(tx: Tx) -> dict[str, Config]:
    """The configuration of each domain that has one, by its id; None in the place of each secret."""
    plain = sa.select(domain_options).order_by(*domain_options.c)
    secret = sa.select(_SECRETS.domain_id, _SECRETS.group, _SECRETS.name, sa.null())
    found: dict[str, Config] = {}
    for domain_id, group, name, value in [*tx.execute(plain), *tx.execute(secret)]:
        found.setdefault(domain_id, {}).setdefault(group, {})[name] = value
    return found


def secret(tx: Tx, domain_id: str, group: str, name: str) -> str | None:
    """Sealed."""
    here = (_SECRETS.domain_id == domain_id) & (_SECRETS.group == group) & (_SECRETS.name == name)
    found: str | None = tx.scalar(sa.select(_SECRETS.secret).where(here))
    return found


def put(tx: Tx, domain_id: str, config: Config) -> None:
    rows.touch(tx)
    for group, options in config.items():
        for name, value in options.items():
            tx.upsert(domain_options, {"domain_id": domain_id, "group": group, "name": name}, {"value": value})


def put_secrets(tx: Tx, domain_id: str, secrets: Mapping[tuple[str, str], str]) -> None:
    """Sealed ones, by group and name."""
    rows.touch(tx)
    for (group, name), text in secrets.items():
        key = {"domain_id": domain_id, "group": group, "name": name}
        tx.upsert(domain_secrets, key, {"id": new_hex_id(), "secret": text})


def forget(tx: Tx, domain_id: str, group: str | None = None, name: str | None = None) -> None:
    """All of a domain, of one of its groups, or one option."""
    rows.touch(tx)
    wanted = {"domain_id": domain_id, "group": group, "name": name}
    for table in (domain_options, domain_secrets):
        same = [table.c[column] == value for column, value in wanted.items() if value is not None]
        tx.delete(table, sa.and_(*same))
