"""Of which cloud this machine is: STATE/host.json of a host, STATE/control.json of a machine of the control plane."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from pileus.core.config import AGENT_PORT, Settings
from pileus.operate.state import write_private


class Member(msgspec.Struct, kw_only=True, frozen=True):
    url: str
    """Of the control plane."""
    name: str
    mode: Literal["real", "sim"]
    address: str
    """Ours, for tunnels and for the control plane's questions."""
    southbound: str
    """OVN's southbound database; empty for a simulated host."""
    external_bridge: str
    external_interface: str | None

    def settings(self, state_dir: Path) -> Settings:
        """For what `pileus up` and this host do alike."""
        return Settings(
            state_dir=state_dir,
            mode=self.mode,
            host=self.address,
            port=AGENT_PORT,
            external_bridge=self.external_bridge,
            external_interface=self.external_interface,
        )


class Control(msgspec.Struct, frozen=True):
    url: str


def read(state_dir: Path) -> Member | None:
    """None for a machine that is no cloud's host, or whose file is damaged."""
    try:
        return msgspec.json.decode(_file(state_dir).read_bytes(), type=Member)
    except (OSError, msgspec.DecodeError):
        return None


def write(state_dir: Path, member: Member) -> None:
    write_private(_file(state_dir), msgspec.json.encode(member).decode())


def control_url(state_dir: Path) -> str | None:
    """Where a machine of the control plane joined; None for another."""
    try:
        return msgspec.json.decode(_control_file(state_dir).read_bytes(), type=Control).url
    except (OSError, msgspec.DecodeError):
        return None


def write_control(state_dir: Path, url: str) -> None:
    write_private(_control_file(state_dir), msgspec.json.encode(Control(url)).decode())


def _control_file(state_dir: Path) -> Path:
    return state_dir / "control.json"


def _file(state_dir: Path) -> Path:
    return state_dir / "host.json"
