"""`pileus up`: check everything, start the serving process, wait until it answers, say where."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec

from pileus.core.config import Settings
from pileus.operate import access, options, state
from pileus.operate.options import OptionError

PATIENCE = 60.0
"""Seconds until a start that does not answer counts as failed."""


def up(settings: Settings) -> None:
    """Start in the background and return when the API answers. Raises OptionError, leaving nothing half started."""
    found = state.running(settings.state_dir)
    if found is not None:
        _same(found.settings, settings)
        return
    options.check_port_free(settings)
    if settings.mode == "real":
        check_real(settings)
    state.prepare(settings.state_dir, settings.mode)
    start(settings)
    access.write(settings)


def foreground(settings: Settings) -> int:
    """The same, in this process, until it is told to end."""
    from pileus.operate.serve import serve

    if state.running(settings.state_dir) is not None:
        raise OptionError(f"Pileus is running in {settings.state_dir} already.")
    options.check_port_free(settings)
    if settings.mode == "real":
        check_real(settings)
    state.prepare(settings.state_dir, settings.mode)
    access.write(settings)
    return serve(settings)


def check_real(settings: Settings) -> None:
    """What real mode needs of this machine and this user."""
    from pileus.supervise import host_network, packages

    if os.geteuid() != 0:
        raise OptionError("Real guests need root: run 'sudo pileus up', or 'pileus up --sim' for simulated hosts.")
    lacking = packages.missing()
    if lacking:
        raise OptionError(lacking)
    if settings.external_interface:
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


def start(settings: Settings) -> None:
    log = settings.state_dir / "log" / "pileus.log"
    environment = os.environ | {"PILEUS_SETTINGS": msgspec.json.encode(settings, enc_hook=str).decode()}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pileus", "serve"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
            cwd="/",
        )
    deadline = time.monotonic() + PATIENCE
    while not answers(settings):
        if process.poll() is not None:
            raise OptionError(f"Pileus ended while it started. The last lines of {log}:\n{last_words(log)}")
        if time.monotonic() > deadline:
            process.terminate()
            raise OptionError(
                f"Pileus did not answer within {PATIENCE:.0f} s. The last lines of {log}:\n{last_words(log)}"
            )
        time.sleep(0.02)


def answers(settings: Settings) -> bool:
    try:
        with urllib.request.urlopen(f"{settings.url}/identity/v3", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def last_words(log: Path, lines: int = 8) -> str:
    try:
        return "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return "  (none)"
