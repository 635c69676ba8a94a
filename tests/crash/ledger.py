"""What the clients of one project were told: what was acknowledged must be so, what was not may be so or not.

Kept by what goes over the wire, whoever sends it. Several clients share a project, so that while they work only what
was certain both before and after a look is judged.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import httpx

State = Literal["there", "leaving", "gone", "unsure"]
NOUNS = {"servers": "server", "ports": "port", "floatingips": "floatingip", "os-keypairs": "keypair", "images": "image"}
"""Collections that are kept account of, and the name of one in a body."""


@dataclass
class Entry:
    kind: str
    id: str
    name: str
    state: State
    request_id: str
    """Of the last request that was about it."""
    parent: str | None = None
    """The server that it goes with."""
    data: bytes | None = None
    """Of an image, as acknowledged."""
    in_flight: int = 0
    """Requests to delete it that have no answer yet."""
    changes: int = 0

    def told(self, state: State, request_id: str) -> None:
        self.state, self.request_id, self.changes = state, request_id, self.changes + 1


@dataclass
class Attempt:
    """A wish with a name of its own."""

    outcome: Literal["asked", "made", "refused", "unsure"] = "asked"
    id: str | None = None
    request_id: str = "none"


@dataclass
class Violation:
    what: str
    resource: str
    request_id: str

    def __str__(self) -> str:
        return f"{self.resource}: {self.what} ({self.request_id})"


@dataclass
class Ledger:
    project: str
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    attempts: dict[tuple[str, str], Attempt] = field(default_factory=dict)
    leads: dict[str, set[str | None]] = field(default_factory=dict)
    """Floating IP -> ports that it was asked to lead to since the last time that it was certain."""
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @contextmanager
    def request(self, method: str, path: str, body: Any) -> Iterator[Request]:
        """Around one request: what it says of itself by `answered`; without that its outcome is not known."""
        request = Request(self, method, path.partition("?")[0].strip("/").split("/")[1:], body)
        with self._lock:
            request.begin()
        try:
            yield request
        finally:
            with self._lock:
                request.end()

    def snapshot(self, kind: str) -> dict[str, Entry]:
        with self._lock:
            return {id_: replace(entry) for (of, id_), entry in self.entries.items() if of == kind}

    def of(self, kind: str, *states: State) -> list[Entry]:
        return [entry for entry in self.snapshot(kind).values() if entry.state in states]

    def judge(
        self, kind: str, before: dict[str, Entry], listed: Iterable[Any], exact: bool = False
    ) -> Iterator[Violation]:
        """What a list shows that can't be, by what was known `before` it was asked for and is still so.

        `exact`: nobody is at work, so that what was unsure is certain from now on.
        """
        found = {identity(kind, each): each for each in listed}
        with self._lock:
            for each in found.values():
                yield from self._known(kind, each)
            for id_, old in before.items():
                now = self.entries[kind, id_]
                if now.changes != old.changes or old.in_flight or now.in_flight:
                    continue
                if id_ not in found and old.state == "there":
                    yield Violation("was acknowledged and is lost", f"{kind} {id_} {old.name}", old.request_id)
                if id_ in found and old.state == "gone":
                    yield Violation("was deleted and is there", f"{kind} {id_} {old.name}", old.request_id)
                if exact and old.state == "unsure":
                    now.told("there" if id_ in found else "gone", old.request_id)
                if exact and old.state == "leaving" and id_ not in found:
                    now.told("gone", old.request_id)

    def _known(self, kind: str, shown: Any) -> Iterator[Violation]:
        """Take over what was asked for without an answer; all else that nobody was told of should not be there."""
        id_, name = identity(kind, shown), called(kind, shown)
        owner = shown.get("project_id") or shown.get("tenant_id") or shown.get("owner")
        where = f"{kind} {id_} {name}"
        if owner not in (None, self.project):
            yield Violation(f"is of project {owner} and shown to {self.project}", where, "none")
        attempt = self.attempts.get((kind, name))
        if attempt is not None and attempt.id not in (None, id_):
            yield Violation(f"is there twice: one request has made it and {attempt.id}", where, attempt.request_id)
        parent = shown.get("device_id") if str(shown.get("device_owner", "")).startswith("compute:") else None
        if (kind, id_) in self.entries:
            self.entries[kind, id_].parent = parent
            return
        if attempt is None and parent is None:
            yield Violation("is there, and nobody has asked for it", where, "none")
        if attempt is not None:
            if attempt.outcome == "refused":
                yield Violation("is there, and its maker was told that it is not", where, attempt.request_id)
            attempt.id = id_
        state: State = "unsure" if attempt is not None and attempt.outcome == "asked" else "there"
        if parent is not None:
            state = _certainty(self.entries.get(("servers", parent)))
        request_id = attempt.request_id if attempt else "none"
        self.entries[kind, id_] = Entry(kind, id_, name, state, request_id, parent)


class Request:
    """What one request does to the ledger. Its methods hold the ledger's lock."""

    def __init__(self, ledger: Ledger, method: str, parts: list[str], body: Any) -> None:
        self._ledger, self._method, self._parts, self._body = ledger, method, parts, body
        self._answer: httpx.Response | None = None
        self._attempt: Attempt | None = None
        self._entry: Entry | None = None
        self._family: list[Entry] = []

    def answered(self, answer: httpx.Response) -> None:
        self._answer = answer

    def begin(self) -> None:
        match self._method, self._parts:
            case "POST", [kind] if kind in NOUNS:
                self._attempt = self._ledger.attempts[kind, called(kind, self._body)] = Attempt()
            case "DELETE", [kind, id_] if kind in NOUNS:
                self._entry = self._of(kind, id_)
            case "DELETE", ["servers", _, "os-interface", port]:
                self._entry = self._of("ports", port)
            case "PUT", ["floatingips", id_]:
                self._ledger.leads.setdefault(id_, set()).add(self._body["floatingip"]["port_id"])
        if self._entry is not None:
            mine = self._ledger.entries.values()
            self._family = [self._entry, *(each for each in mine if each.parent == self._entry.id)]
        for each in self._family:
            each.in_flight += 1

    def _of(self, kind: str, id_: str) -> Entry:
        return self._ledger.entries.setdefault((kind, id_), Entry(kind, id_, "", "unsure", "none"))

    def end(self) -> None:
        answer = self._answer
        certain = answer is not None and answer.status_code < 500
        request_id = answer.headers.get("x-openstack-request-id", "none") if answer is not None else "none"
        if self._attempt is not None:
            self._attempt.request_id = request_id
            self._attempt.outcome = "unsure" if not certain else "made" if answer.is_success else "refused"
        for each in self._family:
            each.in_flight -= 1
            if not certain and each.state == "there":
                each.told("unsure", request_id)
            elif certain and answer is not None and answer.is_success and each.state != "gone":
                # a server goes when its host says so; its ports go with the request
                each.told("leaving" if self._parts[0] == "servers" and each is self._entry else "gone", request_id)
        if answer is not None and answer.is_success and self._entry is None:
            self._made(answer, request_id)

    def _made(self, answer: httpx.Response, request_id: str) -> None:
        match self._method, self._parts:
            case "POST", [kind] if kind in NOUNS:
                assert self._attempt is not None
                made = answer.json()
                id_ = identity(kind, made.get(NOUNS[kind], made))
                known = self._ledger.entries.get((kind, id_))
                if known is None:
                    name = called(kind, self._body)
                    self._ledger.entries[kind, id_] = Entry(kind, id_, name, "there", request_id)
                elif known.state == "unsure" and not known.in_flight:
                    known.told("there", request_id)
                self._attempt.id = self._attempt.id or id_
            case "POST", ["servers", server, "os-interface"]:
                port = answer.json()["interfaceAttachment"]["port_id"]
                owner = self._ledger.entries.get(("servers", server))
                entry = Entry("ports", port, "", _certainty(owner), request_id, server)
                self._ledger.entries.setdefault(("ports", port), entry)
            case "PUT", ["images", id_, "file"]:
                entry = self._of("images", id_)
                entry.data, entry.request_id = answer.request.content, request_id


def _certainty(server: Entry | None) -> State:
    """Of a port just seen, or just told of: it goes with its server."""
    return "there" if server is not None and server.state == "there" and not server.in_flight else "unsure"


def identity(kind: str, shown: Any) -> str:
    """What a resource is known by: key pairs by their names."""
    return str(shown.get("keypair", shown)["name"] if kind == "os-keypairs" else shown["id"])


def called(kind: str, shown: Any) -> str:
    """The name that its maker gave it."""
    if kind == "floatingips":
        return str(shown.get("floatingip", shown)["description"])
    return str(shown.get(NOUNS[kind], shown).get("name", ""))
