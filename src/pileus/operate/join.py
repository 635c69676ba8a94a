"""`pileus join`: make this machine a host of a cloud, or start it again as the host that it is."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import httpx
import msgspec
import structlog

from pileus.core import authority, logs
from pileus.core.config import Settings, host_name
from pileus.core.tls import Folder
from pileus.node.client import ControlPlane, Refused
from pileus.node.desired import JoinRequest
from pileus.operate import membership, options, state, trust, underlay, up
from pileus.operate.child import host_agent, look_after
from pileus.operate.down import end_strays
from pileus.operate.membership import Member
from pileus.operate.options import OptionError

log = structlog.get_logger("pileus.host")
_REGISTERS_WITHIN = 30.0
"""Seconds until a new host that the control plane has not heard of counts as failed."""


def join(settings: Settings, url: str, token: str, given: bool) -> Member:
    """Become a host of the cloud at `url`. `given`: the settings' host is this machine's address; else it is guessed.

    A host of that cloud gets another certificate for its key, where it was off for longer than its own lasted, and
    learns the cloud's new address. Raises OptionError, leaving the machine as it was.
    """
    cloud = trust.cloud_at(url, token, "pileus host token")
    if (known := membership.read(settings.state_dir)) is not None:
        return _join_again(settings.state_dir, known, cloud)
    address = settings.host if given else underlay.address_towards(cloud.url)
    wanted = Member(
        url=cloud.url,
        name=host_name(),
        mode=cloud.authority.mode,
        address=address,
        southbound="",
        external_bridge=settings.external_bridge,
        external_interface=settings.external_interface,
    )
    settings = wanted.settings(settings.state_dir)
    _check_machine(settings)
    _check_underlay(address, cloud.authority.mtu)
    with up.whole_or_not_at_all(settings):
        state.prepare(settings.state_dir, settings.mode)
        member = _let_in(settings.state_dir, wanted, cloud)
        _start(settings)
        _wait_until_registered(settings, member)
    return member


def _join_again(state_dir: Path, known: Member, cloud: trust.Cloud) -> Member:
    """Raises OptionError for a host of another cloud."""
    if cloud.authority.certificate != Folder(state_dir / "tls").authority.read_text():
        raise OptionError(f"This machine is host {known.name} of {known.url} already. 'pileus down --purge' ends that.")
    if state.running(state_dir) is not None:
        raise OptionError(f"Host {known.name} of {known.url} runs: stop it by 'pileus down' first; guests go on.")
    _let_in(state_dir, msgspec.structs.replace(known, url=cloud.url), cloud)
    return start(state_dir)


def start(state_dir: Path) -> Member:
    """As the host that this machine is; the control plane may be away. Raises OptionError."""
    member = _member(state_dir)
    settings = member.settings(state_dir)
    if state.running(state_dir) is None:
        _check_machine(settings)
        with up.whole_or_not_at_all(settings):
            state.prepare(state_dir, settings.mode)
            _start(settings)
    return member


def foreground(state_dir: Path) -> int:
    """The same, in this process, until it is told to end."""
    settings = _member(state_dir).settings(state_dir)
    if state.running(state_dir) is not None:
        raise OptionError(f"Pileus is running in {state_dir} already.")
    _check_machine(settings)
    with up.whole_or_not_at_all(settings):
        return attend(settings)


def attend(settings: Settings) -> int:
    """Look after this host until SIGTERM or SIGINT. Guests and their daemons stay."""
    logs.configure()
    member = _member(settings.state_dir)
    state.prepare(settings.state_dir, settings.mode)
    state.note_running(settings)
    end_strays(settings.state_dir)
    machine = None
    if settings.mode == "real":
        from pileus.operate.machine import Machine

        machine = Machine(settings, member).started()
    arguments = ["--joined", str(settings.tls), *underlay.agent_arguments(settings.host)]
    arguments += machine.agent_arguments() if machine else ["--sim", "1"]
    log.info("attending", host=member.name, url=member.url, pid=os.getpid())
    try:
        return look_after([host_agent(settings.state_dir, member.url, arguments)])
    finally:
        if machine:
            machine.release()


def troubles(state_dir: Path, member: Member) -> list[str]:
    """What is wrong between this host and its control plane."""
    try:
        known = ControlPlane(
            member.url, member.name, context=Folder(state_dir / "tls").client_context()
        ).is_registered()
    except (httpx.TransportError, OSError) as error:
        return [f"The control plane at {member.url} does not answer: {error}. Guests and their networks go on."]
    return [] if known else [f"The cloud at {member.url} does not know this host, or no longer: see log/agent.log."]


def _member(state_dir: Path) -> Member:
    found = membership.read(state_dir)
    if found is None:
        raise OptionError(f"{state_dir} is not that of a host: 'pileus join URL --token TOKEN' makes this machine one.")
    return found


def _check_machine(settings: Settings) -> None:
    if (settings.state_dir / "clouds.yaml").exists():
        raise OptionError(
            f"{settings.state_dir} is that of a cloud: start it by 'pileus up', or choose another --state-dir."
        )
    options.check(settings)
    if not settings.secure:
        raise OptionError(f"--address is {settings.host}: other hosts can't reach this one there.")
    state.check(settings.state_dir, settings.mode)
    options.check_port_free(settings, "the agents of hosts use that port")
    if settings.mode == "real":
        up.check_real(settings)


def _check_underlay(address: str, needed: int) -> None:
    name, mtu = underlay.interface_of(address), underlay.mtu_of(address)
    if mtu is not None and mtu < needed:
        raise OptionError(
            f"{name}, which has the address {address}, has an MTU of {mtu}, and the cloud's networks need {needed} for "
            "their tunnels: raise it, here and on the switches, or lower the networks' MTU first."
        )


def _let_in(state_dir: Path, wanted: Member, cloud: trust.Cloud) -> Member:
    """Have our key certified, and keep what we are told."""
    folder = Folder(state_dir / "tls")
    wish = JoinRequest(
        token=cloud.token, host=wanted.name, request=authority.request_for(folder.ensure_key(), wanted.name)
    )
    try:
        told = cloud.control_plane(wanted.name).join(wish)
    except httpx.TransportError as error:
        raise OptionError(f"{wanted.url} does not answer: {error}.") from None
    except Refused as error:
        raise OptionError(f"The cloud does not let this machine in. {error}") from None
    folder.keep(told.certificate, cloud.authority.certificate)
    member = msgspec.structs.replace(wanted, southbound=told.southbound)
    membership.write(state_dir, member)
    return member


def _start(settings: Settings) -> None:
    up.start(settings, "attend", _agent_listens)


def _agent_listens(settings: Settings) -> bool:
    try:
        socket.create_connection((settings.host, settings.port), timeout=2).close()
    except OSError:
        return False
    return True


def _wait_until_registered(settings: Settings, member: Member) -> None:
    agent_log = settings.state_dir / "log" / "agent.log"
    deadline = time.monotonic() + _REGISTERS_WITHIN
    while troubles(settings.state_dir, member):
        if time.monotonic() > deadline:
            raise OptionError(
                f"The host agent runs, but has not registered within {_REGISTERS_WITHIN:.0f} s. The last lines of "
                f"{agent_log}:\n{up.last_words(agent_log)}"
            )
        time.sleep(0.05)
