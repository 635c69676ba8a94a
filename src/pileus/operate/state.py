"""The state directory: its layout, its version, who runs in it."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import psutil

from pileus.core.config import Settings, metrics_token_file
from pileus.operate import options
from pileus.operate.options import OptionError

LAYOUT = 1
"""Of the state directory; goes up when an older Pileus could not use it any more."""
MARKER = "state.json"
FOLDERS = ("images", "instances", "run", "log", "policy.d")
BROUGHT = ("pileus.toml", "policy.d", "image-certificates")
"""What an operator may have put there before the first start."""


class Running(msgspec.Struct):
    """STATE/run/pileus.json: the process that serves, and what it was started with."""

    pid: int
    started: float
    settings: Settings


def check(state_dir: Path, mode: str) -> None:
    """Raises OptionError for a directory of another version, of another mode, or of somebody else. Changes nothing."""
    if state_dir.exists() and not state_dir.is_dir():
        raise OptionError(f"--state-dir is {state_dir}, which is not a directory.")
    if is_ours(state_dir):
        found = _marked(state_dir / MARKER)
        if found.get("layout") != LAYOUT:
            raise OptionError(
                f"{state_dir} is of layout {found.get('layout')}, and this Pileus uses layout {LAYOUT}. "
                "Start it with the version that made it, or choose another --state-dir."
            )
        if found.get("mode") != mode:
            raise OptionError(
                f"{state_dir} belongs to a cloud in {found.get('mode')} mode. "
                f"Choose another --state-dir for {mode} mode, or remove this one by 'pileus down --purge'."
            )
    elif _holds_others(state_dir):
        raise OptionError(f"{state_dir} is not empty and not a state directory of Pileus. Choose another --state-dir.")


def _holds_others(state_dir: Path) -> bool:
    """Files, then, that neither Pileus nor its operator needs there."""
    try:
        return state_dir.exists() and any(file.name not in BROUGHT for file in state_dir.iterdir())
    except PermissionError:
        raise OptionError(_not_ours_to_write(state_dir)) from None


def _not_ours_to_write(state_dir: Path) -> str:
    return f"{state_dir} can't be written to by this user. Choose another --state-dir, or run as root."


def prepare(state_dir: Path, mode: str) -> None:
    """Make the folders. Raises OptionError as `check` does, and where they can't be made."""
    check(state_dir, mode)
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o755)
        if not is_ours(state_dir):
            write_private(state_dir / MARKER, json.dumps({"layout": LAYOUT, "mode": mode}))
        for folder in FOLDERS:
            (state_dir / folder).mkdir(exist_ok=True)
        secret(metrics_token_file(state_dir))
    except PermissionError:
        raise OptionError(_not_ours_to_write(state_dir)) from None
    except OSError as error:
        raise OptionError(f"{state_dir} can't be made or written to: {error.strerror}.") from None


def is_ours(state_dir: Path) -> bool:
    return (state_dir / MARKER).exists()


def mode(state_dir: Path) -> str | None:
    """real or sim; None where there is no state directory of ours. Raises OptionError for a damaged one."""
    return str(_marked(state_dir / MARKER).get("mode")) if is_ours(state_dir) else None


def _marked(marker: Path) -> dict[str, Any]:
    try:
        found = json.loads(marker.read_text())
    except PermissionError:
        raise OptionError(f"{marker} can't be read by this user: it is the state of another user's Pileus.") from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise OptionError(f"{marker} can't be read as JSON: this is no state directory of Pileus, or it is damaged.")
    return found


def write_private(path: Path, text: str) -> None:
    """For the owner's eyes only; whole or not at all."""
    new = path.with_name(path.name + ".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    new.replace(path)


def remember(state_dir: Path, values: Mapping[str, Any]) -> None:
    """The next starts have these options; all else in STATE/pileus.toml stays as it was written."""
    path = state_dir / options.FILE
    lines = path.read_text().splitlines() if path.exists() else []
    first_table = next((number for number, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    ours = re.compile(rf"\s*[\"']?({'|'.join(values)})[\"']?\s*=")
    kept = [line for line in lines[:first_table] if not ours.match(line)]
    entries = [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in values.items()]
    write_private(path, "\n".join([*kept, *entries, *lines[first_table:]]) + "\n")


def secret(path: Path) -> str:
    """The secret in the file; made when there is none yet."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text().strip()


def note_running(settings: Settings) -> None:
    process = psutil.Process()
    running = Running(process.pid, process.create_time(), settings)
    write_private(settings.state_dir / "run" / "pileus.json", msgspec.json.encode(running, enc_hook=str).decode())


def noted(state_dir: Path) -> Running | None:
    """Who served this directory last, with which settings."""
    try:
        raw = (state_dir / "run" / "pileus.json").read_bytes()
        return msgspec.json.decode(raw, type=Running, dec_hook=lambda kind, value: kind(value))
    except (OSError, msgspec.DecodeError):
        return None


def running(state_dir: Path) -> Running | None:
    """Who serves this directory now, if anybody does."""
    found = noted(state_dir)
    if found is None:
        return None
    try:
        process = psutil.Process(found.pid)
        alive = abs(process.create_time() - found.started) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return found if alive else None


def processes(state_dir: Path) -> list[psutil.Process]:
    """What serves this directory and its host agents, also such as nobody watches any more; parents first."""
    found = []
    for each in psutil.process_iter(["cmdline", "create_time"]):
        words = each.info["cmdline"] or []
        module, ours = words[1:3], words[3:]
        if ours[:1] in (["serve"], ["attend"]):
            ours = ours[1:]
        if module in (["-m", "pileus"], ["-m", "pileus.node"]) and ours[:2] == ["--state-dir", str(state_dir)]:
            found.append(each)
    return sorted(found, key=lambda each: float(each.info["create_time"]))


def failure_file(state_dir: Path) -> Path:
    """Why the serving process could not start, for the reader."""
    return state_dir / "run" / "failure"
