"""The `pileus` command as a user calls it: a process of its own, with a home of its own."""

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Command:
    """`command("up", "--sim")` runs it in `state_dir`; `prefix` is put before it (ip netns exec NAME)."""

    def __init__(self, home: Path, state_dir: Path, prefix: tuple[str, ...] = ()) -> None:
        self.home, self.state_dir, self.prefix = home, state_dir, prefix
        home.mkdir(exist_ok=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("OS_", "PILEUS_", "SUDO_"))},
            "HOME": str(home),
            "COLUMNS": "200",
        }

    def arguments(self, *words: str) -> list[str]:
        return [*self.prefix, sys.executable, "-m", "pileus", *words, "--state-dir", str(self.state_dir)]

    def __call__(self, *words: str, seconds: float = 120.0) -> "subprocess.CompletedProcess[str]":
        return self._run(self.arguments(*words), seconds)

    def run(self, *words: str, seconds: float = 120.0) -> "subprocess.CompletedProcess[str]":
        """A command that takes no --state-dir."""
        return self._run([*self.prefix, sys.executable, "-m", "pileus", *words], seconds)

    def _run(self, words: list[str], seconds: float) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=seconds)

    def ok(self, *words: str) -> str:
        done = self(*words)
        assert done.returncode == 0, f"pileus {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def refused(self, *words: str) -> str:
        """What it said on stderr; it ended with a status that is not 0, in words and not in a traceback."""
        done = self(*words)
        assert done.returncode not in (0, -11), done.stdout
        assert "Traceback" not in done.stderr, done.stderr
        assert done.stderr.startswith("pileus: "), done.stderr
        return done.stderr

    def begin(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.arguments(*words), env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


def free_port() -> int:
    """None of those that the kernel gives to connections: such a one is lost to whoever connects before it is used."""
    while True:
        port = random.SystemRandom().randrange(12000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def processes_of(state_dir: Path) -> list[str]:
    """Command lines and environments of processes that name the directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if os.fsencode(state_dir) in words:
            found.append(f"{entry.name}: {words[:120]!r}")
    return found


def until(condition: Callable[[], bool], seconds: float = 60.0, what: str = "") -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so after {seconds} s: {what}"
        time.sleep(0.02)


@contextmanager
def own_host() -> Iterator[Command]:
    """A network namespace with nothing in it but loopback, and a state directory that guests can reach."""
    name = f"pileus-test-{uuid.uuid4().hex[:8]}"
    folder = Path(tempfile.mkdtemp(prefix="pileus-host-"))
    folder.chmod(0o711)
    command = Command(folder / "home", folder / "state", ("ip", "netns", "exec", name))
    try:
        subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield command
    finally:
        command("down", "--purge")
        subprocess.run(["ip", "netns", "delete", name])
        shutil.rmtree(folder, ignore_errors=True)


def links(pileus: Command) -> list[str]:
    """Interfaces of a host."""
    done = subprocess.run([*pileus.prefix, "ip", "-brief", "link"], capture_output=True, text=True, check=True)
    return [line.split()[0].partition("@")[0] for line in done.stdout.splitlines()]
