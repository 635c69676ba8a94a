"""Connections to one directory: few, kept open, and never waited for longer than the domain's configuration says.

A directory that does not answer costs the domain's own requests one time-out; after it they are refused at once until the next
try. Those of other domains go on: only some of a process's threads may be at any directory at one time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import ldap
import structlog

from pileus.core.errors import BadRequest, Conflict, Forbidden, Problem, ServiceUnavailable
from pileus.services.identity.types.domain_config import LdapOptions

T = TypeVar("T")
log = structlog.get_logger("pileus.ldap")
AT_ONCE = 6
"""Requests of this process that may be at directories; fewer than it has threads."""
WAITING = 4
"""Requests that may wait for one of those to end."""
PAUSE = 5.0
"""Seconds after a time-out until the directory is tried again."""
_SILENT = (
    ldap.SERVER_DOWN,
    ldap.CONNECT_ERROR,
    ldap.TIMEOUT,
    ldap.TIMELIMIT_EXCEEDED,
    ldap.BUSY,
    ldap.UNAVAILABLE,
)
_NOT_PROVED = (
    ldap.INVALID_CREDENTIALS,
    ldap.INAPPROPRIATE_AUTH,
    ldap.UNWILLING_TO_PERFORM,
    ldap.INSUFFICIENT_ACCESS,
    ldap.CONSTRAINT_VIOLATION,
    ldap.NO_SUCH_OBJECT,
    ldap.INVALID_DN_SYNTAX,
)
_REFUSED: dict[type[Exception], type[Problem]] = {
    ldap.ALREADY_EXISTS: Conflict,
    ldap.TYPE_OR_VALUE_EXISTS: Conflict,
    ldap.INSUFFICIENT_ACCESS: Forbidden,
    ldap.UNWILLING_TO_PERFORM: Forbidden,
    ldap.CONSTRAINT_VIOLATION: BadRequest,
    ldap.OBJECT_CLASS_VIOLATION: BadRequest,
    ldap.INVALID_SYNTAX: BadRequest,
    ldap.UNDEFINED_TYPE: BadRequest,
    ldap.NAMING_VIOLATION: BadRequest,
}
_HINTS = {
    ldap.NO_SUCH_OBJECT: "see that ldap.user_tree_dn and ldap.group_tree_dn are there",
    ldap.INVALID_DN_SYNTAX: "see that ldap.user_tree_dn and ldap.group_tree_dn are DNs",
    ldap.FILTER_ERROR: "see that ldap.user_filter and ldap.group_filter are filters",
    ldap.SIZELIMIT_EXCEEDED: "set ldap.page_size, so that it is asked for less at once",
}
_turns = threading.BoundedSemaphore(AT_ONCE)
_queue = threading.BoundedSemaphore(AT_ONCE + WAITING)


class Connections:
    def __init__(self, domain_id: str, options: LdapOptions) -> None:
        """Raises ServiceUnavailable for URLs that are not LDAP's."""
        self._domain_id, self._options = domain_id, options
        urls = options.url.replace(",", " ").split()
        wrong = [url for url in urls if not url.startswith(("ldap://", "ldaps://"))]
        if wrong or not urls:
            raise self._unusable(f"ldap.url is '{options.url}': it must start with ldap:// or ldaps://")
        self._urls = " ".join(urls)
        self._idle: list[tuple[Any, float]] = []
        self._lock = threading.Lock()
        self._retry_at = 0.0

    def ask(self, work: Callable[[Any], T], again: bool = True) -> T:
        """What `work` gives with a connection that is bound as ldap.user.

        A connection that the server closed meanwhile is replaced, unless the work must not be done `again`.
        """
        with self._guarded():
            link, reused = self._take(fresh=not again)
            try:
                found = self._done(link, work)
            except ldap.SERVER_DOWN:
                if not reused:
                    raise
                link, _ = self._take(fresh=True)
                found = self._done(link, work)
            return found

    def _done(self, link: Any, work: Callable[[Any], T]) -> T:
        try:
            found = work(link)
        except _SILENT:
            _close(link)
            raise
        except BaseException:
            self._give_back(link)
            raise
        self._give_back(link)
        return found

    def proves(self, dn: str, password: str) -> bool:
        """Whether the password is that of the entry. An empty one proves nothing, though a directory would let it pass."""
        if not password:
            return False
        with self._guarded():
            link = self._open()
            try:
                link.simple_bind_s(dn, password)
                return True
            except _NOT_PROVED:
                return False
            finally:
                _close(link)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for link, _ in idle:
            _close(link)

    # -- one connection

    def _take(self, fresh: bool) -> tuple[Any, bool]:
        """A bound connection, and whether it was used before."""
        with self._lock:
            while self._idle and not fresh:
                link, ends = self._idle.pop()
                if ends > time.monotonic():
                    return link, True
                _close(link)
        link = self._open()
        try:
            link.simple_bind_s(self._options.user or "", self._options.password or "")
        except _NOT_PROVED as error:
            _close(link)
            raise self._unusable(
                f"the server at {self._urls} refuses ldap.user '{self._options.user or ''}' with its password: {_said(error)}"
            ) from None
        return link, False

    def _give_back(self, link: Any) -> None:
        with self._lock:
            if len(self._idle) < self._options.pool_size:
                self._idle.append((link, time.monotonic() + self._options.pool_connection_lifetime))
                return
        _close(link)

    def _open(self) -> Any:
        options = self._options
        link = ldap.initialize(self._urls)
        link.set_option(ldap.OPT_NETWORK_TIMEOUT, options.connection_timeout)
        link.set_option(ldap.OPT_TIMEOUT, options.connection_timeout)
        link.set_option(ldap.OPT_REFERRALS, int(options.chase_referrals))
        if self._has_tls:
            demand = {"demand": ldap.OPT_X_TLS_DEMAND, "allow": ldap.OPT_X_TLS_ALLOW, "never": ldap.OPT_X_TLS_NEVER}
            link.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, demand[options.tls_req_cert])
            self._trust(link)
        if options.use_tls:
            link.start_tls_s()
        return link

    def _trust(self, link: Any) -> None:
        try:
            if self._options.tls_cacertfile:
                link.set_option(ldap.OPT_X_TLS_CACERTFILE, self._options.tls_cacertfile)
            link.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        except (ldap.LDAPError, ValueError):
            raise self._unusable(
                f"ldap.tls_cacertfile '{self._options.tls_cacertfile}' can't be read as certificates (PEM)"
            ) from None

    # -- what the caller is told

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        self._must_be_due()
        if not _queue.acquire(blocking=False):
            raise self._unusable("too many requests wait for directories; try again in a few seconds")
        try:
            if not _turns.acquire(timeout=self._options.connection_timeout):
                raise self._unusable("directories are slow to answer; try again in a few seconds")
            try:
                with self._told():
                    yield
            finally:
                _turns.release()
        finally:
            _queue.release()

    def _must_be_due(self) -> None:
        """While the directory is silent, one request in a while finds out whether it still is."""
        with self._lock:
            if self._retry_at == 0.0:
                return
            if time.monotonic() >= self._retry_at:
                self._retry_at = time.monotonic() + PAUSE
                return
        raise self._unusable(f"the server at {self._urls} does not answer; {self._what_to_see}")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
            self._retry_at = 0.0
        except _SILENT as error:
            self._retry_at = time.monotonic() + PAUSE
            log.warning("a directory does not answer", domain=self._domain_id, url=self._urls, reason=_said(error))
            raise self._unusable(
                f"the server at {self._urls} does not answer ({_said(error)}); {self._what_to_see}"
            ) from None
        except ldap.LDAPError as error:
            refusal = _REFUSED.get(type(error))
            if refusal is not None:
                raise refusal(f"The directory of domain {self._domain_id} refused this: {_said(error)}.") from None
            hint = f"; {_HINTS[type(error)]}" if type(error) in _HINTS else ""
            raise self._unusable(f"the server at {self._urls} answered: {_said(error)}{hint}") from None

    @property
    def _has_tls(self) -> bool:
        return self._options.use_tls or "ldaps://" in self._urls

    @property
    def _what_to_see(self) -> str:
        trust = ", and that ldap.tls_cacertfile has who signed its certificate" if self._has_tls else ""
        return f"see that it runs and that ldap.url is right{trust}"

    def _unusable(self, why: str) -> ServiceUnavailable:
        return ServiceUnavailable(
            f"The directory of domain {self._domain_id} can't be used: {why}. Other domains are not affected.",
            headers={"Retry-After": str(int(PAUSE))},
        )


def _said(error: ldap.LDAPError) -> str:
    facts = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    parts = [str(facts[key]) for key in ("desc", "info") if facts.get(key)]
    return ": ".join(parts) or type(error).__name__


def _close(link: Any) -> None:
    try:
        link.unbind_s()
    except ldap.LDAPError:
        pass
