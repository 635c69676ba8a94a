"""A daemon: how it is started, how one sees that it answers, what it said last."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pileus.core import logs
from pileus.supervise import process

LAST_WORDS = 2000

_IN_PRIVATE_VIEW = """
while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 126; shift 2; done
shift; exec "$@"
"""


@dataclass(frozen=True)
class Daemon:
    """One daemon. It runs in the foreground, as a child that outlives Pileus, and writes its log to stderr.

    `alive` asks the daemon something, for so many seconds at most, and raises OSError where no answer came; a daemon
    is up when it answers first. `prepare` runs before each start. `mounts` maps paths that the daemon has compiled in
    to files and directories of ours; it sees them in a mount namespace of its own. `keeper`: see keeper.py.
    `ready` makes what the daemon forgets when it ends; it runs whenever the daemon has come to answer.
    """

    name: str
    argv: tuple[str, ...]
    log: Path
    alive: Callable[[float], None]
    after: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None
    mounts: Mapping[str, Path] = field(default_factory=dict)
    keeper: bool = False
    ready: Callable[[], None] = lambda: None

    def start(self, state_dir: Path) -> "subprocess.Popen[bytes]":
        self.prepare()
        self._make_mount_points(state_dir)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        env = {**os.environ, **self.env, process.MARK: process.mark_of(state_dir, self.name)}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                self._command(), env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                start_new_session=True,
            )  # fmt: skip

    def running(self, state_dir: Path) -> process.Process | None:
        """Its process, if one runs, whoever started it."""
        return process.of_daemon(state_dir, self.name, Path(self.argv[0]).name)

    def last_words(self) -> str:
        """The end of its log, at most 2,000 bytes of whole lines."""
        try:
            with self.log.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(0, size - LAST_WORDS))
                text = log.read(LAST_WORDS).decode(errors="replace")
        except FileNotFoundError:
            return ""
        return (text.partition("\n")[2] if size > LAST_WORDS else text).strip()

    def cap_log(self) -> None:
        logs.cap(self.log)

    def _make_mount_points(self, state_dir: Path) -> None:
        """Mounts hide what they cover, but need a place; places made for them are noted, for the purge to remove."""
        for target in (Path(target) for target in self.mounts):
            if not target.exists():
                target.mkdir(parents=True)
                with mount_points_file(state_dir).open("a") as note:
                    note.write(f"{target}\n")

    def _command(self) -> list[str]:
        keeper = [sys.executable, "-I", "-S", str(Path(__file__).with_name("keeper.py"))] if self.keeper else []
        command = [*keeper, *self.argv]
        if not self.mounts:
            return command
        pairs = [str(part) for target, source in self.mounts.items() for part in (source, target)]
        view = ["unshare", "--mount", "--propagation", "slave", "--", "/bin/sh", "-c", _IN_PRIVATE_VIEW, "sh"]
        return [*view, *pairs, "--", *command]


def mount_points_file(state_dir: Path) -> Path:
    return state_dir / "run/mount-points"
