"""A process that another of ours starts, and starts again whenever it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from pileus.core import logs

log = structlog.get_logger("pileus.serve")


class Child:
    """`log_file`: where its output goes; None: where ours goes. `sockets`: file descriptors that it inherits."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log_file: Path | None = None,
        environment: Mapping[str, str] | None = None,
        sockets: Sequence[int] = (),
    ) -> None:
        self.name, self._command, self._log_file, self._sockets = name, list(command), log_file, tuple(sockets)
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        if self._log_file is None:
            self._process = self._open(None)
            return
        with self._log_file.open("ab") as output:
            self._process = self._open(output.fileno())

    def _open(self, output: int | None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=self._environment,
            pass_fds=self._sockets,
        )

    def look(self) -> None:
        """Start it again where it has ended, and keep its log small."""
        if self._log_file is not None:
            logs.cap(self._log_file)
        if self._process is not None and self._process.poll() is not None:
            log.error(f"{self.name} ended and is started again", code=self._process.returncode)
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


def host_agent(state_dir: Path, url: str, arguments: Sequence[str]) -> Child:
    """The agent of this machine's hosts; `url` is the control plane's."""
    command = [sys.executable, "-m", "pileus.node", "--state-dir", str(state_dir), "--url", url]
    return Child("the host agent", [*command, *arguments], state_dir / "log" / "agent.log")


def look_after(children: Sequence[Child]) -> int:
    """Start them, and start them again, until SIGTERM or SIGINT."""
    ended = until_told()
    for child in children:
        child.start()
    while not ended.wait(0.5):
        for child in children:
            child.look()
    for child in children:
        child.stop()
    return 0


def until_told() -> threading.Event:
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    return told
