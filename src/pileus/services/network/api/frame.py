"""What every noun's routes do alike: lists with filters, pages and chosen fields; bulk creation; attributes' own rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Collection as Collection_
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

import msgspec

from pileus.core import events
from pileus.core.body import UNSET, given
from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Forbidden, PreconditionFailed
from pileus.core.http import Request
from pileus.core.paging import Page, Sort
from pileus.services.network.rules.access import sees_all
from pileus.services.network.service import api
from pileus.services.network.store import collection as store
from pileus.services.network.store import common
from pileus.services.network.store.collection import Collection

R = TypeVar("R", bound=msgspec.Struct)
View = Callable[[Tx, Caller, Sequence[R]], Sequence[msgspec.Struct]]
_NOT_FILTERS = frozenset({"fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir", "verbose"})


class Noun(msgspec.Struct, Generic[R], frozen=True, dict=True):
    """A resource of the API: its names, its rows, and how they are shown."""

    name: str
    plural: str
    rows: Collection[R]
    view: View[R]
    """All of a page at once, in few statements."""
    target: Callable[[Tx, Caller, Any], Mapping[str, Any]]
    """What the rules for creating one compare, from one wish."""


def listing(noun: Noun[R], tx: Tx, caller: Caller, request: Request, ignored: Collection_[str] = ()) -> dict[str, Any]:
    """GET of a collection; `ignored` are filters that somebody else looks at."""
    page = page_of(request, noun.rows.columns)
    filters: dict[str, list[str]] = {}
    for key, value in request.query:
        if key not in _NOT_FILTERS and key not in ignored:
            filters.setdefault(key, []).append(value)
    rows = store.listed(tx, noun.rows, caller.project_id, sees_all(caller), filters, page)
    found: dict[str, Any] = {noun.plural: shown(noun, tx, caller, request, rows)}
    if page.limit is not None:
        found[f"{noun.plural}_links"] = links(request, page, [row.id for row in rows])  # type: ignore[attr-defined]
    return found


def showing(noun: Noun[R], tx: Tx, caller: Caller, request: Request, row: R) -> dict[str, Any]:
    """GET of one, and the answer to its change."""
    return {noun.name: shown(noun, tx, caller, request, [row])[0]}


def creating(
    noun: Noun[R], tx: Tx, caller: Caller, request: Request, body: Any, create: Callable[[Any], R]
) -> dict[str, Any]:
    """POST: one or several, all or none. Raises Forbidden for the first wish that the policy does not allow."""
    wanted, bulk = wishes(noun, body)
    rows = []
    for wish in wanted:
        if bulk:
            _enforce_creation(noun, tx, caller, wish)
        row = create(wish)
        tags = getattr(wish, "tags", UNSET)
        if tags is not UNSET:
            common.set_tags(tx, row.id, tags)  # type: ignore[attr-defined]
        record(noun, tx, caller, "create", row)
        rows.append(row)
    found = shown(noun, tx, caller, request, rows)
    return {noun.plural: found} if bulk else {noun.name: found[0]}


def updating(
    noun: Noun[R], tx: Tx, caller: Caller, request: Request, row: R, update: Callable[[], R]
) -> dict[str, Any]:
    """PUT of one."""
    check_revision(request, row)
    new = update()
    record(noun, tx, caller, "update", new)
    return showing(noun, tx, caller, request, new)


def deleting(noun: Noun[R], tx: Tx, caller: Caller, request: Request, row: R, delete: Callable[[], None]) -> None:
    """DELETE of one."""
    check_revision(request, row)
    delete()
    record(noun, tx, caller, "delete", row)


def record(noun: Noun[R], tx: Tx, caller: Caller, action: str, row: R) -> None:
    events.record(tx, caller, "network", action, noun.name, row.id)  # type: ignore[attr-defined]


def creation_target(noun: Noun[R]) -> Callable[[Tx, Caller, Any], Mapping[str, Any]]:
    """For a route's `target`: of the first wish; the others of a bulk are looked at one by one when they are made."""

    def target(tx: Tx, caller: Caller, body: Any) -> Mapping[str, Any]:
        return noun.target(tx, caller, wishes(noun, body)[0][0])

    return target


def attribute_rules(action: str, kind: type[msgspec.Struct], wrap: str = "") -> dict[str, str]:
    """Body field -> rule, for every rule `<action>:<attribute>[:<part>]` whose attribute the body has."""
    fields = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
    assert api.policy is not None
    found = {}
    for rule in api.policy.names:
        attribute = rule.removeprefix(f"{action}:")
        if attribute == rule:
            continue
        name, _, part = (attribute, "", "") if attribute in fields else attribute.partition(":")
        if name in fields:
            found[".".join(filter(None, (wrap, fields[name], part)))] = rule
    return found


def wishes(noun: Noun[R], body: Any) -> tuple[list[Any], bool]:
    """What a body of one or of many asks for, and whether it is of many."""
    one, many = getattr(body, noun.name), getattr(body, noun.plural)
    if (one is UNSET) == (many is UNSET):
        raise BadRequest(f"The body must have '{noun.name}' or, for several, '{noun.plural}'.")
    if many is UNSET:
        return [one], False
    if not many:
        raise BadRequest(f"'{noun.plural}' is empty.")
    return many, True


def check_revision(request: Request, row: msgspec.Struct) -> None:
    """If-Match: revision_number=N. Raises PreconditionFailed where the row has moved on."""
    wanted = request.headers.get("if-match")
    if wanted is None:
        return
    key, _, number = wanted.strip().strip('"').partition("=")
    if key != "revision_number" or not number.isdigit():
        raise BadRequest(f"If-Match must be 'revision_number=N', got '{wanted[:64]}'.")
    have = row.revision_number  # type: ignore[attr-defined]
    if int(number) != have:
        raise PreconditionFailed(
            f"The revision_number is {have}, not {number}: somebody changed it since. Read it again.",
            code="RevisionNumberConstraintFailed",
        )


def shown(noun: Noun[R], tx: Tx, caller: Caller, request: Request, rows: Sequence[R]) -> list[dict[str, Any]]:
    """The rows as the caller may see them: without attributes whose rules say no, and only with the fields asked for."""
    asked = {value for key, value in request.query if key == "fields" and value}
    shown_rows = []
    for reply in noun.view(tx, caller, rows):
        item = {
            name: value
            for name, field in zip(reply.__struct_encode_fields__, reply.__struct_fields__, strict=True)
            if (value := getattr(reply, field)) is not UNSET and (not asked or name in asked)
        }
        for name, rule in _guarded(noun.name, type(reply)):
            if name in item and not caller.allows(rule, _target(reply)):
                del item[name]
        shown_rows.append(item)
    return shown_rows


def page_of(request: Request, columns: Mapping[str, Any]) -> Page:
    """limit, marker, page_reverse, sort_key and sort_dir of the query."""
    query: dict[str, list[str]] = {}
    for key, value in request.query:
        query.setdefault(key, []).append(value)
    limit = query.get("limit", ["0"])[-1]
    if not limit.isascii() or not limit.isdigit() or len(limit) > 9:
        raise BadRequest(f"Limit must be an integer 0 or greater and not '{limit[:64]}'.")
    reverse = query.get("page_reverse", [""])[-1].lower() in ("true", "1")
    sorts = _sorts(query.get("sort_key", []), query.get("sort_dir", []), columns)
    marker = query.get("marker", [""])[-1] or None
    return Page(limit=int(limit) or None, marker=marker, sorts=sorts, backwards=reverse)


def links(request: Request, page: Page, ids: Sequence[str]) -> list[dict[str, str]]:
    """To the pages around one of `ids`; a page that is not full has none after it."""
    if not ids:
        return []
    full = page.limit is not None and len(ids) >= page.limit
    kept = [(key, value) for key, value in request.query if key not in ("marker", "page_reverse")]
    found = []
    here = request.base_url + request.path
    if full or page.backwards:
        found.append({"rel": "next", "href": f"{here}?{urlencode([*kept, ('marker', ids[-1])])}"})
    if page.marker is not None and (full or not page.backwards):
        back = [*kept, ("marker", ids[0]), ("page_reverse", "True")]
        found.append({"rel": "previous", "href": f"{here}?{urlencode(back)}"})
    return found


def _sorts(keys: Sequence[str], directions: Sequence[str], columns: Mapping[str, Any]) -> tuple[Sort, ...]:
    if directions and len(keys) != len(directions):
        raise BadRequest("The number of sort_keys and sort_dirs must be same.")
    for key in keys:
        if key not in columns:
            raise BadRequest(f"'{key[:64]}' is not an attribute to sort by; possible are {', '.join(sorted(columns))}.")
    for direction in directions:
        if direction not in ("asc", "desc"):
            raise BadRequest(f"sort_dir is 'asc' or 'desc', got '{direction[:64]}'.")
    return tuple(Sort(key, bool(directions) and directions[i] == "desc") for i, key in enumerate(keys))


def _enforce_creation(noun: Noun[R], tx: Tx, caller: Caller, wish: Any) -> None:
    target = noun.target(tx, caller, wish)
    needed = [f"create_{noun.name}"]
    needed += [r for field, r in attribute_rules(needed[0], type(wish)).items() if given(wish, field)]
    for rule in needed:
        if not caller.allows(rule, target):
            raise Forbidden(f"Policy doesn't allow {rule} to be performed.", code="PolicyNotAuthorized")


def _guarded(name: str, kind: type[msgspec.Struct]) -> Sequence[tuple[str, str]]:
    """(attribute, rule) of the attributes of a noun that are not for everybody who sees it."""
    found = _guards.get(kind)
    if found is None:
        assert api.policy is not None
        rules = set(api.policy.names)
        found = _guards[kind] = [
            (wire, f"get_{name}:{wire}") for wire in kind.__struct_encode_fields__ if f"get_{name}:{wire}" in rules
        ]
    return found


_guards: dict[type[msgspec.Struct], list[tuple[str, str]]] = {}


def _target(reply: msgspec.Struct) -> dict[str, Any]:
    return {
        name: getattr(reply, field)
        for name, field in zip(reply.__struct_encode_fields__, reply.__struct_fields__, strict=True)
        if name in ("project_id", "shared", "router:external")
    }
