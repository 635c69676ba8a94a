"""A process that another of ours starts, and starts again whenever it ends."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

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
        """Start it again where it has ended."""
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
