"""The process that `pileus up` starts: API, controller and, as a child, the host agent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import structlog

from pileus.cloud import Cloud
from pileus.core import logs
from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.schema import NewerSchema
from pileus.operate import access, certificates, state, underlay
from pileus.operate.child import Child, host_agent
from pileus.operate.down import end_strays
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
    end_strays(settings.state_dir)
    host_token = state.secret(settings.state_dir / "run" / "host-token")
    cloud = Cloud(settings)
    try:
        cloud.prepare(access.admin_password(settings.state_dir), host_token)
    except (NewerSchema, WrongKey) as error:
        log.error(str(error))
        return 1
    if settings.secure:
        certificates.ensure(settings, cloud.db)
    if settings.northbound:
        certificates.ensure_for_ovn(settings, cloud.db)
    machine = _machine(settings)
    agent = _agent(settings, cloud.db, machine)
    agent.start()
    cloud.controller.start()
    server = Server(cloud.app, settings, [agent])
    log.info("serving", url=settings.url, mode=settings.mode, pid=os.getpid())
    try:
        server.run()
    finally:
        agent.stop()
        cloud.close()
        if machine:
            machine.release()
    return 0


def _machine(settings: Settings) -> Machine | None:
    """In real mode this machine's daemons, running."""
    if settings.mode == "sim":
        return None
    from pileus.operate.machine import Machine

    return Machine(settings).started()


def _agent(settings: Settings, db: Database, machine: Machine | None) -> Child:
    """The host agent of this machine: where other machines can reach it, one with a certificate, as on any host."""
    arguments = machine.agent_arguments() if machine else ["--sim", str(settings.sim_hosts)]
    if settings.secure:
        arguments += underlay.agent_arguments(settings.host)
        if machine:
            arguments += ["--joined", str(certificates.ensure_host(settings, db).directory)]
        else:
            arguments += ["--authority", str(settings.tls / "ca.pem")]
    return host_agent(settings.state_dir, settings.url, arguments)
