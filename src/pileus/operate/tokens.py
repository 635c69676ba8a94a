"""`pileus host token` and `pileus control token`: by which machines become hosts, or part of the control plane."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec

from pileus.core.authority import Role
from pileus.core.db import Database
from pileus.operate import state
from pileus.operate.options import OptionError
from pileus.services.compute.rules import join


class Made(msgspec.Struct):
    token: str
    url: str
    """Of the cloud."""


def new(state_dir: Path, role: Role, hours: float, uses: int) -> Made:
    """Raises OptionError where there is no cloud that machines could join."""
    if not 0 < hours <= 8760:
        raise OptionError(
            f"--hours is {hours:g}: a token is valid for more than 0 hours, and for a year (8760) at most."
        )
    if not 1 <= uses <= 10000:
        raise OptionError(f"--uses is {uses}: from 1 to 10000 machines can join by one token.")
    running = state.running(state_dir)
    if running is None or not (state_dir / "clouds.yaml").exists():
        raise OptionError(f"No cloud runs in {state_dir}: start it by 'pileus up --host ADDRESS'.")
    settings = running.settings
    if not settings.secure:
        raise OptionError(
            f"This cloud serves its own machine alone, at {settings.host}: 'pileus up --host ADDRESS' lets others in."
        )
    if role == "control plane" and settings.database is None:
        raise OptionError(
            f"This cloud keeps its rows in {state_dir}/pileus.db, which serves one machine: 'pileus database move' brings "
            "them to a PostgreSQL first."
        )
    with closing(Database(settings.database_url)) as db, db.write() as tx:
        return Made(join.new_token(tx, role, timedelta(hours=hours), uses), settings.url)
