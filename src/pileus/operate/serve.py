"""The process that `pileus up` starts: API, controller and, as a child, the host agent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import structlog
import uvicorn

from pileus.cloud import Cloud
from pileus.core import logs
from pileus.core.config import Settings
from pileus.core.schema import NewerSchema
from pileus.operate import access, state
from pileus.operate.down import end
from pileus.operate.options import OptionError

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
    except NewerSchema as error:
        log.error(str(error))
        return 1
    machine = _machine(settings)
    agent = AgentProcess(settings, machine.agent_arguments() if machine else ["--sim", str(settings.sim_hosts)])
    agent.start()
    cloud.controller.start()
    server = Server(
        uvicorn.Config(
            cloud.app.asgi,
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            ws="websockets-sansio",
            lifespan="off",
            log_level="warning",
            access_log=False,
            timeout_keep_alive=75,
            backlog=1024,
            timeout_graceful_shutdown=5,
            server_header=False,
        )
    )
    log.info("serving", url=settings.url, mode=settings.mode, pid=os.getpid())
    try:
        asyncio.run(server.serve_and_watch(agent))
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


class AgentProcess:
    """The host agent as a child that is started again when it ends."""

    def __init__(self, settings: Settings, surroundings: Sequence[str]) -> None:
        self._settings, self._surroundings = settings, list(surroundings)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        state_dir = self._settings.state_dir
        command = [sys.executable, "-m", "pileus.node", "--state-dir", str(state_dir), "--url", self._settings.url]
        command += self._surroundings
        with (state_dir / "log" / "agent.log").open("ab") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def look(self) -> None:
        """Start it again where it has ended."""
        if self._process is not None and self._process.poll() is not None:
            log.error("the host agent ended and is started again", code=self._process.returncode)
            self.start()

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Server(uvicorn.Server):
    async def serve_and_watch(self, agent: AgentProcess) -> None:
        watcher = asyncio.create_task(self._watch(agent))
        try:
            await self.serve()
        finally:
            watcher.cancel()

    async def _watch(self, agent: AgentProcess) -> None:
        while not self.should_exit:
            await asyncio.sleep(1.0)
            await asyncio.to_thread(agent.look)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True
        if sig == signal.SIGINT and self.started:
            self.force_exit = False
