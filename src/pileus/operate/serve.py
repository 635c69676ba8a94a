"""The process that `pileus up` starts: API, controller and, as a child, the host agent."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from pileus.cloud import Cloud
from pileus.core import logs
from pileus.core.config import Settings
from pileus.core.schema import NewerSchema
from pileus.operate import access, state
from pileus.operate.child import Child
from pileus.operate.down import end
from pileus.operate.options import OptionError
from pileus.operate.server import Server
from pileus.services.identity.rules.sealing import WrongKey

if TYPE_CHECKING:
    from pileus.operate.machine import Machine

log = structlog.get_logger("pileus.serve")


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. Guests and, in real mode, their daemons stay.

    Raises OptionError where the machine does not let it start.
    """
    logs.configure()
    state.prepare(settings.state_dir, settings.mode)
    state.note_running(settings)
    _end_strays(settings.state_dir)
    host_token = state.secret(settings.state_dir / "run" / "host-token")
    cloud = Cloud(settings)
    try:
        cloud.prepare(access.admin_password(settings.state_dir), host_token)
    except (NewerSchema, WrongKey) as error:
        log.error(str(error))
        return 1
    machine = _machine(settings)
    agent = _agent(settings, machine.agent_arguments() if machine else ["--sim", str(settings.sim_hosts)])
    agent.start()
    cloud.controller.start()
    server = Server(cloud.app, settings, [agent])
    log.info("serving", url=settings.url, mode=settings.mode, pid=os.getpid())
    try:
        asyncio.run(server.serve())
    finally:
        agent.stop()
        cloud.close()
        if machine:
            machine.release()
    return 0


def _end_strays(state_dir: Path) -> None:
    """A host agent whose Pileus was killed takes a moment to notice; two agents would get into each other's way."""
    for process in state.processes(state_dir):
        if process.pid != os.getpid():
            end(process, 10)


def _machine(settings: Settings) -> Machine | None:
    """In real mode this machine's daemons, running."""
    if settings.mode == "sim":
        return None
    from pileus.operate.machine import Machine
    from pileus.supervise.host_network import BadInterface
    from pileus.supervise.supervisor import StartFailed

    machine = Machine(settings)
    try:
        machine.start()
    except (StartFailed, BadInterface, OSError) as error:
        raise OptionError(f"This machine's daemons could not be started. {error}") from None
    return machine


def _agent(settings: Settings, surroundings: Sequence[str]) -> Child:
    """The host agent of this machine."""
    state_dir = settings.state_dir
    command = [sys.executable, "-m", "pileus.node", "--state-dir", str(state_dir), "--url", settings.url]
    return Child("the host agent", [*command, *surroundings], state_dir / "log" / "agent.log")
