"""`pileus up`: check everything, start the serving process, wait until it answers, say where."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pileus.core.config import AGENT_PORT, Settings
from pileus.operate import access, membership, options, state
from pileus.operate.down import end
from pileus.operate.options import OptionError

PATIENCE = 60.0
"""Seconds until a start that does not answer counts as failed."""


def up(settings: Settings) -> None:
    """Start in the background and return when the API answers and the hosts are there. Raises OptionError, leaving nothing half started."""
    _refuse_other(settings.state_dir)
    found = state.running(settings.state_dir)
    if found is not None:
        _same(found.settings, settings)
        return
    check_machine(settings)
    with whole_or_not_at_all(settings):
        state.prepare(settings.state_dir, settings.mode)
        start(settings)
        access.write(settings)
        wait_for_hosts(settings)


def wait_for_hosts(settings: Settings) -> None:
    """Until this machine's own hosts have registered, so that the first server finds one."""
    from pileus.cli.client import Client

    client, wanted = Client(settings.state_dir), set(settings.own_hosts)
    deadline = time.monotonic() + PATIENCE
    while True:
        found = client.get("compute", "/os-services?binary=nova-compute")["services"]
        missing = wanted - {service["host"] for service in found if service["state"] == "up"}
        if not missing:
            return
        if time.monotonic() > deadline:
            log = settings.state_dir / "log" / "agent.log"
            raise OptionError(
                f"The API answers, but {len(missing)} hosts have not registered within {PATIENCE:.0f} s "
                f"({', '.join(sorted(missing)[:3])}). The last lines of {log}:\n{last_words(log)}"
            )
        time.sleep(0.02)


def foreground(settings: Settings) -> int:
    """The same, in this process, until it is told to end."""
    from pileus.operate.serve import serve

    _refuse_other(settings.state_dir)
    if state.running(settings.state_dir) is not None:
        raise OptionError(f"Pileus is running in {settings.state_dir} already.")
    check_machine(settings)
    with whole_or_not_at_all(settings):
        state.prepare(settings.state_dir, settings.mode)
        access.write(settings)
        return serve(settings)


def _refuse_other(state_dir: Path) -> None:
    """Raises OptionError for a directory that another command starts."""
    if (url := membership.control_url(state_dir)) is not None:
        raise OptionError(
            f"{state_dir} is of the control plane of {url}: 'pileus api' and 'pileus controller' serve there."
        )
    if (member := membership.read(state_dir)) is not None:
        raise OptionError(
            f"{state_dir} is that of host {member.name} in the cloud at {member.url}: start it by 'pileus join'."
        )


def check_machine(settings: Settings) -> None:
    """Raises OptionError where something here does not allow a start; changes nothing."""
    state.check(settings.state_dir, settings.mode)
    options.check_port_free(settings)
    if settings.secure and settings.mode == "real":
        agents = msgspec.structs.replace(settings, port=AGENT_PORT)
        options.check_port_free(agents, "the agents of hosts use that port")
    if settings.mode == "real":
        check_real(settings)


def check_real(settings: Settings) -> None:
    """What real mode needs of this machine and this user."""
    from pileus.supervise import packages

    if os.geteuid() != 0:
        raise OptionError("Real guests need root: run 'sudo pileus up', or 'pileus up --sim' for simulated hosts.")
    lacking = packages.missing()
    if lacking:
        raise OptionError(lacking)
    if settings.external_interface:
        from pileus.supervise import host_network

        try:
            host_network.check_uplink(settings.external_interface, "external_interface", settings.external_bridge)
        except host_network.BadInterface as error:
            raise OptionError(str(error)) from None


def _same(running: Settings, wanted: Settings) -> None:
    for name in Settings.__struct_fields__:
        if getattr(running, name) != getattr(wanted, name):
            raise OptionError(
                f"Pileus is running in {running.state_dir} with {name} = {getattr(running, name)}, not {getattr(wanted, name)}. "
                "Stop it by 'pileus down' first."
            )


@contextmanager
def whole_or_not_at_all(settings: Settings) -> Iterator[None]:
    """Whatever ends the block early leaves the machine as it was before it: daemons and guests that ran then go on."""
    state_dir, was_there = settings.state_dir, state.is_ours(settings.state_dir)
    before = _processes(settings)
    try:
        yield
    except BaseException:
        _undo(settings, before)
        if not was_there and state.is_ours(state_dir):
            access.forget(state_dir)
            shutil.rmtree(state_dir, ignore_errors=True)
        raise


def _processes(settings: Settings) -> set[int]:
    if settings.mode == "sim":
        return set()
    from pileus.supervise import process

    return {found.pid for found in process.of_state(settings.state_dir)}


def _undo(settings: Settings, before: set[int]) -> None:
    for own in state.processes(settings.state_dir):
        end(own, 10)
    if settings.mode == "sim":
        return
    from pileus.supervise import process, purge

    if before:
        process.end(found for found in process.of_state(settings.state_dir) if found.pid not in before)
    else:
        purge.stop(settings.state_dir)


def start(settings: Settings, command: str = "serve", ready: Callable[[Settings], bool] | None = None) -> None:
    """Start the process that serves, or another command of ours, and wait until it is ready. Raises OptionError."""
    log, failure = log_file(settings.state_dir), state.failure_file(settings.state_dir)
    failure.unlink(missing_ok=True)
    environment = {"MALLOC_ARENA_MAX": "2"} | os.environ  # many threads, little memory: glibc keeps an arena for each
    environment["PILEUS_SETTINGS"] = msgspec.json.encode(settings, enc_hook=str).decode()
    with log.open("ab") as output, _undisturbed():
        process = subprocess.Popen(
            [sys.executable, "-m", "pileus", command, "--state-dir", str(settings.state_dir)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
            cwd="/",
        )
    _wait(settings, process, ready or answers)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and SIGTERM wait for the end of the block: a child that is not itself yet would not be found and ended."""
    told: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, _: told.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if told:
        raise KeyboardInterrupt


def _wait(settings: Settings, process: subprocess.Popen[bytes], ready: Callable[[Settings], bool]) -> None:
    log, failure = log_file(settings.state_dir), state.failure_file(settings.state_dir)
    deadline = time.monotonic() + PATIENCE
    while not ready(settings):
        if process.poll() is not None:
            if failure.exists():
                raise OptionError(failure.read_text())
            raise OptionError(f"Pileus ended while it started. Its last words:\n{last_words(log)}")
        if time.monotonic() > deadline:
            raise OptionError(f"Pileus did not answer within {PATIENCE:.0f} s. Its last words:\n{last_words(log)}")
        time.sleep(0.02)


def answers(settings: Settings) -> bool:
    try:
        with urllib.request.urlopen(f"{settings.url}/identity/v3", timeout=2, context=_anybody(settings)) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _anybody(settings: Settings) -> ssl.SSLContext | None:
    """Nothing is told to who answers, and nothing believed."""
    if not settings.secure:
        return None
    from pileus.core.tls import believing_anybody  # most clouds start without TLS, and sooner without it

    return believing_anybody()


def log_file(state_dir: Path) -> Path:
    return state_dir / "log" / "pileus.log"


def last_words(log: Path, lines: int = 8) -> str:
    try:
        return "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "  (none)"
