"""Processes that belong to a state directory, found by looking at them rather than by remembering their numbers."""

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

MARK = "PILEUS_DAEMON"
"""Environment variable of every daemon: '<state directory>:<daemon name>'. Guests do not carry it."""


@dataclass(frozen=True)
class Process:
    """A running process; `started` (clock ticks since boot) tells it from a later one with the same number."""

    pid: int
    started: int
    argv: tuple[str, ...]

    def lives(self) -> bool:
        return _started(self.pid) == self.started

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a process that is gone already is no error."""
        if self.lives():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def cpu_ticks(self) -> int:
        """CPU time used so far, in clock ticks; 0 when it is gone."""
        fields = _stat(self.pid)
        return int(fields[11]) + int(fields[12]) if fields else 0


def of_daemon(state_dir: Path, name: str, program: str) -> Process | None:
    """The running process of one daemon. Helpers that it started carry its mark too, but run other programs."""
    wanted = mark_of(state_dir, name)
    found = [process for process, mark in _marked() if mark == wanted and Path(process.argv[0]).name == program]
    return min(found, key=lambda process: process.started, default=None)


def of_state(state_dir: Path) -> list[Process]:
    """Every process of this state directory: its daemons with their children, and its guests."""
    prefix = f"{state_dir}:"
    daemons = {process for process, mark in _marked() if mark.startswith(prefix)}
    return sorted(daemons | set(guests(state_dir)), key=lambda process: process.started)


def guests(state_dir: Path) -> list[Process]:
    """QEMU processes of this state directory: libvirtd's private view of /run/libvirt is theirs too."""
    try:
        ours = os.stat(state_dir / "run/libvirt")
    except FileNotFoundError:
        return []
    return [
        process
        for process in _all()
        if Path(process.argv[0]).name.startswith("qemu") and _sees(process.pid, "/run/libvirt", ours)
    ]


def mounted_elsewhere(path: Path) -> bool:
    """Does any process have something mounted on this path in a namespace of its own?"""
    here = os.stat(path)
    return any(not _sees(process.pid, str(path), here) for process in _all())


def strangers(state_dir: Path, program: str) -> list[Process]:
    """Processes of a program in this network namespace that belong to somebody else, the host's own daemon say."""
    ours = {process.pid for process in of_state(state_dir)}
    network = os.stat("/proc/thread-self/ns/net").st_ino
    return [
        process
        for process in _all()
        if Path(process.argv[0]).name == program and process.pid not in ours and _network(process.pid) == network
    ]


def of_child(pid: int, argv: tuple[str, ...]) -> Process | None:
    """A process just forked, which need not have become its program yet. None if it ended already."""
    started = _started(pid)
    return None if started is None else Process(pid, started, argv)


def mark_of(state_dir: Path, name: str) -> str:
    return f"{state_dir}:{name}"


def end(processes: Iterable[Process], patience: float = 5.0) -> None:
    """End processes: politely, then by SIGKILL after `patience` seconds. A stopped process is killed at once."""
    waiting = list(processes)
    for process in waiting:
        process.signal(signal.SIGKILL if _stopped(process.pid) else signal.SIGTERM)
    deadline = time.monotonic() + patience
    while waiting := [process for process in waiting if process.lives()]:
        if time.monotonic() > deadline:
            for process in waiting:
                process.signal(signal.SIGKILL)
            deadline = time.monotonic() + patience
        time.sleep(0.01)


def _all() -> Iterable[Process]:
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (process := _read(int(entry))):
            yield process


def _read(pid: int) -> Process | None:
    try:
        argv = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return None
    started = _started(pid)
    return Process(pid, started, tuple(argv)) if started is not None and argv[0] else None


def _marked() -> Iterable[tuple[Process, str]]:
    for process in _all():
        try:
            if os.stat(f"/proc/{process.pid}").st_uid != os.geteuid():
                continue
            environ = Path(f"/proc/{process.pid}/environ").read_bytes()
        except OSError:
            continue
        for setting in environ.split(b"\0"):
            if setting.startswith(f"{MARK}=".encode()):
                yield process, os.fsdecode(setting).partition("=")[2]


def _sees(pid: int, path: str, wanted: os.stat_result) -> bool:
    try:
        seen = os.stat(f"/proc/{pid}/root{path}")
    except OSError:
        return False
    return (seen.st_dev, seen.st_ino) == (wanted.st_dev, wanted.st_ino)


def _network(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except OSError:
        return None


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat from the state on; None for a process that is gone or only waits to be reaped."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields


def _started(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def _stopped(pid: int) -> bool:
    fields = _stat(pid)
    return fields is not None and fields[0] in "Tt"
