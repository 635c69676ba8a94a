"""Brings a set of daemons up, in order and as parallel as the order allows, and keeps them up."""

import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from pileus.supervise import process
from pileus.supervise.daemon import Daemon

TICK = 2.0
ANSWER_WITHIN = 2.0
BUSY_PATIENCE = 60.0
START_WITHIN = 20.0
LONGEST_BACK_OFF = 30.0
CALM_AFTER = 60.0


class State(StrEnum):
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    NOT_ANSWERING = "not answering"
    WAITING = "waiting to restart"


@dataclass(frozen=True)
class Report:
    """What `run/daemons.json` says of one daemon. `since`: seconds since the epoch of the last change of state."""

    name: str
    state: State
    pid: int | None
    since: float
    restarts: int
    trouble: str
    """Why it was restarted last, or is not running; empty if it never failed."""
    last_words: str
    """The end of its log when it failed last."""


class StartFailed(Exception):
    """A daemon does not come up. The text names it and carries its last words."""


class Supervisor:
    """Owns the daemons of one state directory. Daemons outlive it: a later one adopts those that run.

    `start()` returns when all answer. From then on a thread watches them until `release()` (which leaves them
    running) or `stop_all()` (which ends them, guests excluded).
    """

    def __init__(self, state_dir: Path, daemons: Sequence[Daemon]) -> None:
        self.state_dir = state_dir
        self._charges = {daemon.name: _Charge(daemon, state_dir) for daemon in daemons}
        self._wake_reader, self._wake_writer = os.pipe()
        self._thread: threading.Thread | None = None
        self._asking = ThreadPoolExecutor(max_workers=max(1, len(daemons)), thread_name_prefix="ask-daemon")
        self._written: list[Report] = []

    def start(self) -> None:
        """Start what does not run, adopt what does, and watch. Raises StartFailed, with all of them ended again
        that this call started."""
        (self.state_dir / "run").mkdir(parents=True, exist_ok=True)
        list(self._asking.map(_Charge.adopt, self._charges.values()))
        deadline = time.monotonic() + START_WITHIN
        while not all(charge.state is State.RUNNING for charge in self._charges.values()):
            self._step()
            failed = [charge for charge in self._charges.values() if charge.trouble]
            if failed or time.monotonic() > deadline:
                self._give_up(failed or [c for c in self._charges.values() if c.state is not State.RUNNING])
            time.sleep(0.01)
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        self._thread.start()

    def report(self) -> list[Report]:
        return [charge.report() for charge in self._charges.values()]

    def release(self) -> None:
        """Stop watching; the daemons go on."""
        if self._thread:
            os.write(self._wake_writer, b"x")
            self._thread.join()
            self._thread = None
        self._asking.shutdown(wait=False)

    def stop_all(self) -> None:
        """End all daemons, dependants first. Guests go on; their owner decides about them."""
        self.release()
        names = list(self._charges)
        while names:
            needed = {other for name in names for other in self._charges[name].daemon.after}
            leaves = [name for name in names if name not in needed]
            process.end(p for name in leaves if (p := self._charges[name].process))
            for name in leaves:
                self._charges[name].stopped()
            names = [name for name in names if name not in leaves]
        self._write()

    def _watch(self) -> None:
        while not self._sleep():
            self._step()
            for charge in self._charges.values():
                charge.daemon.cap_log()

    def _step(self) -> None:
        """Take every daemon one step towards running; all are asked at the same time."""
        running = {name for name, charge in self._charges.items() if charge.state is State.RUNNING}
        list(self._asking.map(lambda charge: charge.step(running), self._charges.values()))
        self._write()

    def _sleep(self) -> bool:
        """Wait for the next tick or the end of a daemon. True: stop watching."""
        poll = select.poll()
        poll.register(self._wake_reader, select.POLLIN)
        for charge in self._charges.values():
            if charge.exit_fd is not None:
                poll.register(charge.exit_fd, select.POLLIN)
        pause = min([TICK, *(charge.pause() for charge in self._charges.values())])
        return any(fd == self._wake_reader for fd, _ in poll.poll(pause * 1000))

    def _give_up(self, failed: list["_Charge"]) -> None:
        self._write()
        process.end(charge.process for charge in self._charges.values() if charge.child and charge.process)
        for charge in self._charges.values():
            if charge.child:
                charge.stopped()
        reasons = (
            f"{charge.daemon.name} did not start: {charge.trouble or 'it does not answer'}"
            f" (log: {charge.daemon.log})\n{charge.daemon.last_words()}"
            for charge in failed
        )
        raise StartFailed("\n".join(reasons))

    def _write(self) -> None:
        reports = self.report()
        if reports == self._written:
            return
        path = daemons_file(self.state_dir)
        try:
            path.with_suffix(".new").write_text(json.dumps([asdict(report) for report in reports], indent=1))
            path.with_suffix(".new").rename(path)
        except OSError:
            return  # a full disk must not end the watch; the next step tries again
        self._written = reports


def daemons_file(state_dir: Path) -> Path:
    return state_dir / "run/daemons.json"


def read_reports(state_dir: Path) -> list[Report]:
    """What the supervisor of this state directory wrote last; empty if none ever ran."""
    try:
        reports = json.loads(daemons_file(state_dir).read_text())
    except FileNotFoundError:
        return []
    return [Report(**{**report, "state": State(report["state"])}) for report in reports]


class _Charge:
    """One daemon in the supervisor's care."""

    def __init__(self, daemon: Daemon, state_dir: Path) -> None:
        self.daemon = daemon
        self.state_dir = state_dir
        self.state = State.STOPPED
        self.process: process.Process | None = None
        self.child: subprocess.Popen[bytes] | None = None
        self.exit_fd: int | None = None
        self.trouble = ""
        self._last_words = ""
        self._since = time.time()
        self._changed = time.monotonic()
        self._restarts = 0
        self._failures = 0
        self._rest_ends = 0.0
        self._silent_since: float | None = None
        self._ticks = 0

    def report(self) -> Report:
        pid = self.process.pid if self.process else None
        return Report(
            self.daemon.name, self.state, pid, self._since, self._restarts, self.trouble, self._last_words
        )  # fmt: skip

    def adopt(self) -> None:
        """Take over a running process; one that does not answer, or is started otherwise today, is ended."""
        found = self.daemon.running(self.state_dir)
        if found and found.argv == self.daemon.argv and not (self._ask() and self._ask()):
            self._hold(found)
            self._ready()
        elif found:
            process.end([found])

    def step(self, running: set[str]) -> None:
        if self.state in (State.STOPPED, State.WAITING):
            if time.monotonic() >= self._rest_ends and running.issuperset(self.daemon.after):
                self._start()
        elif self.process is None or not self.process.lives():
            self._failed(self._exit_reason())
        elif (silence := self._ask()) is None:
            self._silent_since = None
            if self.state is State.STARTING:
                self._hold(self.daemon.running(self.state_dir) or self.process)
                self._ready()
            elif self.state is not State.RUNNING:
                self._become(State.RUNNING)
            elif self._failures and time.monotonic() - self._changed > CALM_AFTER:
                self._failures = 0
        else:
            self._silent(silence)

    def pause(self) -> float:
        """Seconds until a further step may bring something new."""
        if self.state is State.WAITING:
            return max(0.05, self._rest_ends - time.monotonic())
        return 0.05 if self.state is State.STARTING else TICK

    def stopped(self) -> None:
        self._let_go()
        self._become(State.STOPPED)

    def _start(self) -> None:
        try:
            self.child = self.daemon.start(self.state_dir)
        except (OSError, subprocess.CalledProcessError) as error:
            self._failed(str(error))
            return
        found = process.of_child(self.child.pid, self.daemon.argv)
        if found is None:
            self._failed(self._exit_reason())
            return
        self._hold(found)
        self._become(State.STARTING)

    def _ready(self) -> None:
        try:
            self.daemon.ready()
        except OSError as error:
            assert self.process
            self.process.signal(signal.SIGKILL)
            self._failed(str(error))
            return
        self._become(State.RUNNING)

    def _ask(self) -> str | None:
        """None if it answers, otherwise what was wrong."""
        try:
            self.daemon.alive(ANSWER_WITHIN)
        except OSError as error:
            return str(error) or type(error).__name__
        return None

    def _silent(self, reason: str) -> None:
        """It runs and does not answer. Working hard is not hanging: a daemon that uses its CPU gets a minute."""
        assert self.process
        now, ticks = time.monotonic(), self.process.cpu_ticks()
        idle, self._ticks = ticks == self._ticks, ticks
        if self._silent_since is None:
            self._silent_since = now
        if self.state is State.RUNNING:
            self._become(State.NOT_ANSWERING)
            return
        silent = now - self._silent_since
        patience = START_WITHIN if self.state is State.STARTING else TICK if idle else BUSY_PATIENCE
        if silent >= patience:
            self.process.signal(signal.SIGKILL)
            self._failed(f"it ran but did not answer ({reason})")

    def _failed(self, reason: str) -> None:
        self.trouble = reason
        self._last_words = self.daemon.last_words()
        self._let_go()
        # The first restart is immediate, the next ones come after 1, 2, 4 ... 30 s.
        back_off = min(LONGEST_BACK_OFF, 2.0 ** (self._failures - 1)) if self._failures else 0.0
        self._rest_ends = time.monotonic() + back_off
        self._failures += 1
        self._restarts += 1
        self._become(State.WAITING)

    def _exit_reason(self) -> str:
        code = self.child.wait() if self.child and not self.daemon.keeper else None
        if code is None:
            return "it ended"
        return f"it was ended by {signal.Signals(-code).name}" if code < 0 else f"it ended with status {code}"

    def _hold(self, found: process.Process) -> None:
        self._close_exit_fd()
        self.process = found
        try:
            self.exit_fd = os.pidfd_open(found.pid)
        except ProcessLookupError:
            pass

    def _let_go(self) -> None:
        self._close_exit_fd()
        if self.child and self.child.poll() is None and not self.daemon.keeper:
            self.child.wait()
        self.process = self.child = self._silent_since = None

    def _close_exit_fd(self) -> None:
        if self.exit_fd is not None:
            os.close(self.exit_fd)
        self.exit_fd = None

    def _become(self, state: State) -> None:
        self.state = state
        self._since = time.time()
        self._changed = time.monotonic()
