"""A PostgreSQL of the tests' own: Debian's programs, a private data directory, a socket inside it, no TCP.

The first `new_database()` starts it; it ends with the test process.
"""

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: int(found.parent.name))
DATABASES = ["sqlite", "postgresql"]


def available() -> bool:
    """PostgreSQL refuses to run as root: root needs the user that Debian's package made."""
    return bool(PROGRAMS) and (os.getuid() != 0 or any(user.pw_name == "postgres" for user in pwd.getpwall()))


def _run(*command: str) -> None:
    as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    done = subprocess.run([*as_user, *command], capture_output=True, text=True, cwd="/", check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")


class Server:
    """A cluster of its own; the data survive a stop, however rude."""

    def __init__(self, *options: str, rules: str = "") -> None:
        """`rules`: lines for pg_hba.conf."""
        self.directory = Path(tempfile.mkdtemp(prefix="pileus-postgres-"))
        if os.getuid() == 0:
            shutil.chown(self.directory, "postgres")
        self._programs, self._data = PROGRAMS[-1], str(self.directory / "data")
        initdb = f"{self._programs}/initdb"
        _run(initdb, "-D", self._data, "-A", "trust", "-U", "pileus", "-E", "UTF8", "--no-locale", "--no-sync")
        with (self.directory / "data/pg_hba.conf").open("a") as file:
            file.write(rules)
        here = ("-c", f"unix_socket_directories={self.directory}", "-c", "fsync=off", "-c", "max_connections=200")
        self._options = " ".join([*here, *options])
        self.start()

    def start(self) -> None:
        self._control("-l", f"{self.directory}/log", "-w", "-o", self._options, "start")

    def is_running(self) -> bool:
        """Whether the server's first process lives."""
        try:
            os.kill(int((self.directory / "data/postmaster.pid").read_text().split()[0]), 0)
        except (FileNotFoundError, ProcessLookupError):
            return False
        return True

    def stop(self, mode: str) -> None:
        """fast: connections are told; immediate: as by a crash."""
        self._control("-m", mode, "-w", "stop")

    def close(self) -> None:
        with suppress(RuntimeError):  # it may be stopped
            self.stop("immediate")
        shutil.rmtree(self.directory, ignore_errors=True)

    def _control(self, *words: str) -> None:
        _run(f"{self._programs}/pg_ctl", "-D", self._data, *words)


def server() -> Path:
    """The directory with the server's socket; the server is started by the first call and ends with this process."""
    return shared().directory


@cache
def shared() -> Server:
    made = Server("-c", "listen_addresses=")
    atexit.register(made.close)
    return made


@contextmanager
def on_the_wire(address: str, network: str) -> Iterator[str]:
    """The URL of an empty database on a server that listens at an address, to be reached with a password."""
    made = Server("-c", f"listen_addresses={address}", rules=f"host all all {network} scram-sha-256\n")
    try:
        with psycopg.connect(f"host={made.directory} user=pileus dbname=postgres", autocommit=True) as connection:
            connection.execute("ALTER USER pileus PASSWORD 'of the wire'")
            connection.execute("CREATE DATABASE cloud")
        yield f"postgresql+psycopg://pileus:of%20the%20wire@{address}/cloud"
    finally:
        made.close()


def new_database(like: str | None = None) -> str:
    """The SQLAlchemy URL of an empty database, or of a copy of the one with the URL `like`, which nobody is using."""
    name = f"t{uuid.uuid4().hex}"
    _execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {_name(like)}" if like else ""))
    return f"postgresql+psycopg://pileus@/{name}?host={server()}"


def drop_database(url: str) -> None:
    _execute(f"DROP DATABASE {_name(url)} WITH (FORCE)")


def _name(url: str) -> str:
    return str(sa.make_url(url).database)


def _execute(statement: str) -> None:
    with psycopg.connect(f"host={server()} user=pileus dbname=postgres", autocommit=True) as connection:
        connection.execute(statement.encode())


def new_url(dialect: str, directory: Path) -> str:
    """Of an empty database of the dialect; skips the test where there is no PostgreSQL."""
    if dialect == "sqlite":
        return f"sqlite:///{directory}/{uuid.uuid4().hex}.db"
    if not available():
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    return new_database()
