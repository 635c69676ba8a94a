"""Databases of Open vSwitch and OVN: one `ovsdb-server` each."""

import os
import subprocess
from pathlib import Path

from pileus.supervise import ask
from pileus.supervise.daemon import Daemon

LOG_TO_STDERR = ("--verbose=console:info", "--verbose=syslog:off")


def server(name: str, database: Path, schema: Path, socket: Path, log_dir: Path, *options: str) -> Daemon:
    """An ovsdb-server on a unix socket, its database made or brought to the schema before each start."""
    return Daemon(
        name=name,
        argv=(
            "ovsdb-server", str(database), f"--remote=punix:{socket}", f"--unixctl={socket.parent / name}.ctl",
            *LOG_TO_STDERR, *options,
        ),
        log=log_dir / f"{name}.log",
        alive=lambda timeout: ask.json_rpc(socket, "echo", timeout),
        prepare=lambda: _prepare(database, schema, socket.parent),
    )  # fmt: skip


def _prepare(database: Path, schema: Path, run_dir: Path) -> None:
    run_dir.mkdir(parents=True, exist_ok=True)
    database.parent.mkdir(parents=True, exist_ok=True)
    if not database.exists():
        new = database.with_suffix(".new")
        new.unlink(missing_ok=True)
        _ovsdb_tool("create", new, schema)
        os.rename(new, database)
    elif _ovsdb_tool("needs-conversion", database, schema) == "yes":
        _ovsdb_tool("convert", database, schema)


def _ovsdb_tool(command: str, database: Path, schema: Path) -> str:
    run = subprocess.run(["ovsdb-tool", command, database, schema], capture_output=True, text=True)
    if run.returncode:
        raise OSError(f"ovsdb-tool {command} {database} failed: {run.stderr.strip()}")
    return run.stdout.strip()
