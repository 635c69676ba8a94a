"""What this machine's Pileus is: who serves, with which daemons, accelerator, versions and addresses."""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from pileus.operate import membership, options, state, up
from pileus.operate.down import running_guests
from pileus.operate.membership import Member

_PROGRAMS = {
    "QEMU": "qemu-system-x86_64",
    "libvirt": "libvirtd",
    "Open vSwitch": "ovs-vswitchd",
    "OVN": "ovn-controller",
}


class Facts(msgspec.Struct):
    state_dir: Path
    serving: state.Running | None
    member: Member | None
    """Of which cloud this machine is a host, where it has joined one."""
    control: str | None
    """Where this machine joined a control plane, if it is not the one that made the cloud."""
    mode: str | None
    """real or sim; None where there is no cloud."""
    versions: dict[str, str]
    accelerator: str
    """kvm or tcg, with the reason; empty where nothing was chosen yet."""
    addresses: dict[str, str]
    daemons: list[dict[str, Any]]
    guests: int
    """Guests of this machine that run, whoever watches them."""


def facts(state_dir: Path) -> Facts:
    noted, mode = state.noted(state_dir), state.mode(state_dir)
    real = mode == "real"
    member, control = membership.read(state_dir), membership.control_url(state_dir)
    addresses = {}
    if member is not None:
        addresses = {"cloud": member.url, "host agent": noted.settings.url if noted else ""}
        if member.external_interface:
            addresses["external network"] = f"{member.external_bridge} with {member.external_interface}"
    elif control is not None:
        addresses["API"] = _api(state_dir)
    elif noted is not None:
        addresses["API"] = noted.settings.url
        if real:
            card = f" with {noted.settings.external_interface}" if noted.settings.external_interface else ""
            addresses["external network"] = (
                f"{noted.settings.external_address} on {noted.settings.external_bridge}{card}"
            )
    chosen = _json(state_dir / "run/accelerator.json") or {}
    return Facts(
        state_dir=state_dir,
        serving=state.running(state_dir),
        member=member,
        control=control,
        mode=mode,
        versions={"Pileus": version("pileus"), **(_versions() if real else {})},
        accelerator=f"{chosen['kind']}: {chosen['reason']}" if chosen else "",
        addresses=addresses,
        daemons=_json(state_dir / "run/daemons.json") or [],
        guests=running_guests(state_dir) if real else 0,
    )


def _api(state_dir: Path) -> str:
    """Of a machine that joined the control plane."""
    settings = options.load(state_dir, {})
    return settings.url if up.answers(settings) else f"{settings.url} does not answer: 'pileus api' serves it"


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def _versions() -> dict[str, str]:
    with ThreadPoolExecutor(len(_PROGRAMS)) as pool:
        return dict(zip(_PROGRAMS, pool.map(_version, _PROGRAMS.values()), strict=True))


def _version(program: str) -> str:
    try:
        run = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=2)
    except (OSError, subprocess.TimeoutExpired):
        return "?"
    found = re.search(r"\d+\.\d+(\.\d+)*", run.stdout)
    return found[0] if found else "?"
