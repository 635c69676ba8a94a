"""How a machine becomes one of the control plane: it is told what the others have, once, for a token of its own kind."""

from __future__ import annotations

from pileus.core import events
from pileus.core.config import Settings
from pileus.core.context import system_caller
from pileus.core.db import Tx
from pileus.core.errors import Conflict
from pileus.node.desired import ControlKeys, ControlRequest
from pileus.services.compute.rules import join
from pileus.services.identity.rules import sealing


def admit(tx: Tx, settings: Settings, wish: ControlRequest) -> ControlKeys:
    """Raises Forbidden for a token that is not valid, Conflict where the rows are in a file of one machine."""
    join.authority_certificate(tx)
    if settings.database is None:
        raise Conflict(
            "This cloud keeps its rows in a file of its machine: 'pileus database move' brings them to a PostgreSQL, "
            "which several machines can use."
        )
    join.spend(tx, wish.token, "control plane", "pileus control token")
    events.record(tx, system_caller(), "compute", "join", "control plane", wish.host[:64])
    return ControlKeys(
        credential_key=sealing.file_text(settings.state_dir),
        admin_password=_text(settings),
        database=settings.database,
    )


def _text(settings: Settings) -> str:
    """Of the first administrator's password; empty on a machine that was given none."""
    try:
        return settings.admin_password_file.read_text().strip()
    except FileNotFoundError:
        return ""
