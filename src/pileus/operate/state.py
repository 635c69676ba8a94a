"""The state directory: its layout, its version, who runs in it."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import msgspec
import psutil

from pileus.core.config import Settings
from pileus.operate.options import OptionError

LAYOUT = 1
"""Of the state directory; goes up when an older Pileus could not use it any more."""
FOLDERS = ("images", "instances", "run", "log", "policy.d")


class Running(msgspec.Struct):
    """STATE/run/pileus.json: the process that serves, and what it was started with."""

    pid: int
    started: float
    settings: Settings


def prepare(state_dir: Path, mode: str) -> None:
    """Make the folders; refuse a directory of another version, of another mode, or of somebody else."""
    marker = state_dir / "state.json"
    if marker.exists():
        try:
            found = json.loads(marker.read_text())
        except json.JSONDecodeError:
            raise OptionError(
                f"{marker} can't be read as JSON: this is no state directory of Pileus, or it is damaged."
            ) from None
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
    elif state_dir.exists() and any(state_dir.iterdir()):
        raise OptionError(f"{state_dir} is not empty and not a state directory of Pileus. Choose another --state-dir.")
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o755)
        for folder in FOLDERS:
            (state_dir / folder).mkdir(exist_ok=True)
    except PermissionError:
        raise OptionError(
            f"{state_dir} can't be written to by this user. Choose another --state-dir, or run as root."
        ) from None
    if not marker.exists():
        write_private(marker, json.dumps({"layout": LAYOUT, "mode": mode}))


def write_private(path: Path, text: str) -> None:
    """For the owner's eyes only; whole or not at all."""
    new = path.with_name(path.name + ".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    new.replace(path)


def secret(path: Path) -> str:
    """The secret in the file; made when there is none yet."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text().strip()


def note_running(settings: Settings) -> None:
    process = psutil.Process()
    running = Running(process.pid, process.create_time(), settings)
    write_private(settings.state_dir / "run" / "pileus.json", msgspec.json.encode(running, enc_hook=str).decode())


def running(state_dir: Path) -> Running | None:
    """Who serves this directory now, if anybody does."""
    try:
        raw = (state_dir / "run" / "pileus.json").read_bytes()
        found = msgspec.json.decode(raw, type=Running, dec_hook=lambda kind, value: kind(value))
        process = psutil.Process(found.pid)
    except (OSError, msgspec.DecodeError, psutil.NoSuchProcess):
        return None
    alive = abs(process.create_time() - found.started) < 1 and process.status() != psutil.STATUS_ZOMBIE
    return found if alive else None
