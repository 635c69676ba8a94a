"""The cloud's certificate authorities, where they are kept: in the database, their keys sealed, so that every process can sign."""

from __future__ import annotations

from typing import Literal

import msgspec

from pileus.core import authority, notes
from pileus.core.authority import Authority
from pileus.core.config import Settings
from pileus.core.db import Tx
from pileus.services.identity.rules import sealing
from pileus.services.identity.store import federation as store
from pileus.services.identity.store import rows
from pileus.services.identity.types.federation import SigningKeyRow

Name = Literal["certificate authority", "control plane authority"]
CLOUD: Name = "certificate authority"
"""Of all connections but those to OVN's northbound database."""
CONTROL_PLANE: Name = "control plane authority"
"""Signs for the control plane alone: who has a certificate of it may write OVN's northbound database."""


def certificate(tx: Tx, name: Name = CLOUD) -> str | None:
    """None while the cloud serves loopback alone."""
    found = rows.find(tx, SigningKeyRow, name)
    return found.certificate if found else None


def find(tx: Tx, settings: Settings, name: Name = CLOUD) -> Authority | None:
    found = rows.find(tx, SigningKeyRow, name)
    return Authority(found.certificate, sealing.unseal(tx, settings, found.private_key)) if found else None


def ensure(tx: Tx, settings: Settings, name: Name = CLOUD) -> Authority:
    """Made once, whichever process comes first."""
    found = find(tx, settings, name)
    if found is None:
        _keep(tx, settings, name, authority.new(f"Pileus {name}"))
        found = find(tx, settings, name)
    assert found is not None
    return found


def take_over(tx: Tx, settings: Settings) -> None:
    """The key that an earlier version kept unsealed."""
    kept = notes.read(tx, CLOUD)
    if kept is not None:
        _keep(tx, settings, CLOUD, msgspec.json.decode(kept, type=Authority))
        notes.remove(tx, CLOUD)


def _keep(tx: Tx, settings: Settings, name: Name, made: Authority) -> None:
    """Unless somebody else was faster."""
    store.keep_signing_key(tx, SigningKeyRow(name, sealing.seal(tx, settings, made.key), made.certificate))
