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
from contextlib import contextmanager
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


@cache
def server() -> Path:
    """The directory with the server's socket; the server is started by the first call and ends with this process."""
    directory = _made()
    _start(directory)
    atexit.register(_stop, directory)
    return directory


@contextmanager
def on_the_wire(address: str, network: str) -> Iterator[str]:
    """The URL of an empty database on a server that listens at an address, to be reached with a password."""
    directory = _made()
    with (directory / "data/pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {network} scram-sha-256\n")
    _start(directory, address)
    try:
        with psycopg.connect(f"host={directory} user=pileus dbname=postgres", autocommit=True) as connection:
            connection.execute("ALTER USER pileus PASSWORD 'of the wire'")
            connection.execute("CREATE DATABASE cloud")
        yield f"postgresql+psycopg://pileus:of%20the%20wire@{address}/cloud"
    finally:
        _stop(directory)


def _made() -> Path:
    """A directory with a server's data in it."""
    directory = Path(tempfile.mkdtemp(prefix="pileus-postgres-"))
    if os.getuid() == 0:
        shutil.chown(directory, "postgres")
    how = ("-A", "trust", "-U", "pileus", "-E", "UTF8", "--no-locale", "--no-sync")
    _run(f"{PROGRAMS[-1]}/initdb", "-D", f"{directory}/data", *how)
    return directory


def _start(directory: Path, listen: str = "") -> None:
    places = f"-c listen_addresses={listen} -c unix_socket_directories={directory}"
    options = f"{places} -c fsync=off -c max_connections=200"
    _run(f"{PROGRAMS[-1]}/pg_ctl", "-D", f"{directory}/data", "-l", f"{directory}/log", "-w", "-o", options, "start")


def _stop(directory: Path) -> None:
    _run(f"{PROGRAMS[-1]}/pg_ctl", "-D", f"{directory}/data", "-m", "immediate", "stop")
    shutil.rmtree(directory, ignore_errors=True)


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
