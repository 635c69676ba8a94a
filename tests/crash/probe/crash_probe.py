"""Counts the steps of a Pileus process, and stops it at a chosen one.

A step is a crossing of the process's boundary: a commit, a change of a file, a request or its answer. Steps are not listed anywhere; they are named by what they are and by the functions of Pileus that they
come from. `CONTROL/arm.json` says what to do, and is looked at at each crossing:

{"run": "7", "fault": null}                               write each step into CONTROL/steps-7
{"run": "8", "fault": "kill", "key": "...", "nth": 2}     at the second crossing with that key

What was done, at which step really, stands in CONTROL/fired-8 before it is done; no process does it again.
"""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

CONTROL = Path(os.environ.get("PILEUS_CRASH_CONTROL", "/nonexistent"))
STATE = os.environ.get("PILEUS_CRASH_STATE", "/nonexistent")
LOOKING = "crash-test"
"""The User-Agent of requests that only look: they are no steps of the operation."""
NOT_THE_OPERATION = ("up", "down", "audit", "status")
DEPTH = 4
"""Functions that name where a step comes from."""
_PLUMBING = ("pileus.core.db", "pileus.core.reconcile", "pileus.node.__main__")
_ID = re.compile(r"[0-9a-f]{128}|[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_IN_MEMORY = ("ID", "UUIDString", "c_pointer", "connect", "domain", "name", "ref")
"""What libvirt's objects know without asking."""
_FILE_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"}


class Probe:
    def __init__(self, role: str) -> None:
        self.role = role
        self._lock = threading.Lock()
        self._stamp = 0
        self._arm: dict[str, Any] = {}
        self._counts: Counter[str] = Counter()
        self._inside = threading.local()

    def cross(self, kind: str, point: str, what: str = "", fail: Callable[[str], None] | None = None) -> None:
        """`fail` does what a fault of this kind does, by its name: raises, or returns where it has none of that name."""
        if getattr(self._inside, "yes", False):
            return
        self._inside.yes = True
        try:
            fault = self._count(kind, point, what)
        finally:
            self._inside.yes = False
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif fault is not None and fail is not None:
            fail(fault)

    def _count(self, kind: str, point: str, what: str) -> str | None:
        """The fault that is due at this crossing."""
        with self._lock:
            arm = self._armed()
            if not arm:
                return None
            key = " ".join((self.role, kind, point, what, _site())).replace("  ", " ")
            self._counts[key] += 1
            step = {"role": self.role, "kind": kind, "point": point, "key": key, "nth": self._counts[key]}
            if arm["fault"] is None:
                _append(CONTROL / f"steps-{arm['run']}", step)
                return None
            if key != arm["key"] or self._counts[key] != arm["nth"]:
                return None
            return str(arm["fault"]) if _note(CONTROL / f"fired-{arm['run']}", step) else None

    def _armed(self) -> dict[str, Any]:
        try:
            stamp = os.stat(CONTROL / "arm.json").st_mtime_ns
        except FileNotFoundError:
            return {}
        if stamp != self._stamp:
            self._arm, self._stamp = json.loads((CONTROL / "arm.json").read_text()), stamp
            self._counts.clear()
        return self._arm


def _site() -> str:
    """The innermost functions of Pileus that this thread is in; the handler, where a request's transaction ends."""
    found: list[str] = []
    frame: Any = sys._getframe(3)
    while frame is not None and len(found) < DEPTH:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("pileus.") and module not in _PLUMBING:
            name = frame.f_code.co_qualname if hasattr(frame.f_code, "co_qualname") else frame.f_code.co_name
            handler = getattr(frame.f_locals.get("route"), "handler", None)
            found.append(f"{module.removeprefix('pileus.')}.{name}")
            if handler is not None:
                found[-1] += f"({handler.__module__.removeprefix('pileus.')}.{handler.__name__})"
                break
        frame = frame.f_back
    return " < ".join(found)


def _append(file: Path, step: dict[str, Any]) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, json.dumps(step).encode() + b"\n")
    finally:
        os.close(handle)


def _note(file: Path, step: dict[str, Any]) -> bool:
    """False where another process was first."""
    new = file.with_name(f"{file.name}.{os.getpid()}")
    new.write_text(json.dumps(step | {"pid": os.getpid(), "at": time.time()}))
    try:
        os.link(new, file)
    except FileExistsError:
        return False
    finally:
        new.unlink()
    return True


# what is watched


def install() -> None:
    words = sys.orig_argv
    if "-m" not in words:
        return
    at = words.index("-m")
    module, command = words[at + 1], words[at + 2] if at + 2 < len(words) else ""
    role = {"pileus": command, "pileus.node": "agent"}.get(module, "")
    if not role or role in NOT_THE_OPERATION:
        return
    probe = Probe("api" if role == "serve" else role)
    _append(CONTROL / "processes", {"role": probe.role, "pid": os.getpid()})
    _watch_requests(probe)
    if role == "agent":
        _watch_client(probe)
        if "--sim" not in words:
            _watch_libvirt(probe)
    else:
        _watch_commits(probe)
        _watch_ovn(probe)
    _watch_files(probe)


def _watch_commits(probe: Probe) -> None:
    from pileus.core import built, db

    command = db._command

    def watched(connection: Any, sql: str) -> None:
        if sql != "COMMIT":
            command(connection, sql)
            return
        dbapi = connection.dialect.loaded_dbapi

        def fail(fault: str) -> None:
            if fault == "full":
                raise built.told(connection, sql, dbapi.OperationalError("database or disk is full"))
            if fault == "cut":
                connection.connection.dbapi_connection.close()
                raise built.told(connection, sql, dbapi.OperationalError("server closed the connection unexpectedly"))
            if fault == "restart":
                _end_database()

        probe.cross("commit", "before", "", fail)
        command(connection, sql)
        probe.cross("commit", "after", "", fail)

    db._command = watched


def _end_database() -> None:
    """PostgreSQL's immediate shutdown: no transaction that is under way is finished."""
    pid = int(Path(os.environ["PILEUS_CRASH_POSTGRES"], "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGQUIT)
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)


def _end_daemon(name: str) -> None:
    """As by a crash; its supervisor starts it again."""
    reports = json.loads(Path(STATE, "run/daemons.json").read_text())
    pid = next(report["pid"] for report in reports if report["name"] == name)
    if pid is None:
        return
    os.kill(pid, signal.SIGKILL)
    while _lives(pid):
        time.sleep(0.005)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _watch_files(probe: Probe) -> None:
    fsync = os.fsync

    def watched(handle: Any) -> None:
        number = handle if isinstance(handle, int) else handle.fileno()
        path = _path(f"/proc/self/fd/{number}", None)
        if path:
            probe.cross("file", "before", f"fsync {path}", _no_room)
        fsync(handle)

    def audited(event: str, given: tuple[Any, ...]) -> None:
        if event not in _FILE_EVENTS or (event == "open" and not _writes(given)):
            return
        path = _path(given[0], given[-1] if event in ("os.remove", "os.mkdir", "os.rmdir") else None)
        if path:
            probe.cross("file", "before", f"{event.removeprefix('os.')} {path}", lambda fault: _fail(fault, given))

    os.fsync = watched
    sys.addaudithook(audited)


def _writes(given: tuple[Any, ...]) -> bool:
    return isinstance(given[2], int) and bool(given[2] & _WRITES)


def _fail(fault: str, given: tuple[Any, ...]) -> None:
    if fault == "torn":
        os.close(os.open(given[0], (given[2] & ~os.O_EXCL) | os.O_CREAT, 0o600))
        os.kill(os.getpid(), signal.SIGKILL)
    _no_room(fault)


def _no_room(fault: str) -> None:
    if fault == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _path(given: Any, folder: Any) -> str | None:
    """Below the state directory, with * for what differs each time; None for files that are not the cloud's."""
    if isinstance(given, int):
        given = f"/proc/self/fd/{given}"
    path = os.fsdecode(given)
    if isinstance(folder, int) and folder >= 0 and not path.startswith("/"):
        path = f"{os.readlink(f'/proc/self/fd/{folder}')}/{path}"
    if path.startswith("/proc/self/fd/"):
        try:
            path = os.readlink(path)
        except OSError:
            return None
    if not path.startswith(STATE + "/"):
        return None
    path = path.removeprefix(STATE + "/")
    return None if path.startswith("log/") else _ID.sub("*", path)


def _watch_libvirt(probe: Probe) -> None:
    """All calls that libvirtd answers."""
    import libvirt

    def refuse(fault: str) -> None:
        if fault != "error":
            _end_daemon(fault)
            return
        error = libvirt.libvirtError("the crash test wills it")
        error.err = None  # not what this thread was told before
        raise error

    def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watching(self: Any, *given: Any, **more: Any) -> Any:
            probe.cross("libvirt", "before", name, refuse)
            return call(self, *given, **more)

        return watching

    for kind in (libvirt.virConnect, libvirt.virDomain):
        for name, call in list(vars(kind).items()):
            if callable(call) and not name.startswith("_") and name not in _IN_MEMORY:
                setattr(kind, name, watched(name, call))


def _watch_ovn(probe: Probe) -> None:
    """Transactions on its northbound database; a simulated cloud may do without the library."""
    try:
        from ovs.db.idl import Transaction
    except ImportError:
        return

    commit = Transaction.commit

    def watched(self: Any) -> Any:
        fault: list[str] = []
        if self._status == Transaction.UNCOMMITTED:
            probe.cross("ovn", "before", self.idl._db.name, fault.append)
        if fault == ["error"]:
            self.abort()
            return Transaction.TRY_AGAIN
        if fault:
            _end_daemon(fault[0])
        return commit(self)

    Transaction.commit = watched


def _watch_client(probe: Probe) -> None:
    import httpx

    handle = httpx.HTTPTransport.handle_request

    def watched(self: Any, request: httpx.Request) -> httpx.Response:
        def fail(fault: str) -> None:
            if fault == "cut":
                raise httpx.ReadError("the connection was cut", request=request)

        what = f"{request.method} {_ID.sub('*', request.url.path)}"
        probe.cross("send", "before", what, fail)
        answer = handle(self, request)
        probe.cross("answer", "after", what, fail)
        return answer

    httpx.HTTPTransport.handle_request = watched  # type: ignore[method-assign]


def _watch_requests(probe: Probe) -> None:
    import uvicorn

    make = uvicorn.Config.__init__

    def watched(self: Any, app: Any, *more: Any, **options: Any) -> None:
        make(self, _Watched(probe, app), *more, **options)

    uvicorn.Config.__init__ = watched  # type: ignore[method-assign]


class _Watched:
    """An ASGI application whose requests and answers are steps."""

    def __init__(self, probe: Probe, app: Any) -> None:
        self._probe, self._app = probe, app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or (b"user-agent", LOOKING.encode()) in scope["headers"]:
            await self._app(scope, receive, send)
            return
        what = f"{scope['method']} {_ID.sub('*', scope['path'])}"

        async def sending(event: Any) -> None:
            if event["type"] == "http.response.start":
                self._probe.cross("answering", "before", what)
            await send(event)

        self._probe.cross("request", "before", what)
        await self._app(scope, receive, sending)
