"""Which host a server goes to.

A filter is a function (host, wish) -> None, or the reason why the host is out. A weigher is a function (host, wish) ->
number; the host with the highest sum wins. Other packages add filters by entry points of the group
`pileus.scheduler.filters`, called after these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import msgspec

from pileus.core.context import Caller
from pileus.core.db import Tx
from pileus.services.compute.rules import hosts as host_rules
from pileus.services.compute.rules.aggregates import DEFAULT_ZONE
from pileus.services.compute.store import aggregates, hosts, server_groups
from pileus.services.compute.store.aggregates import AggregateRow
from pileus.services.compute.store.hosts import HostRow
from pileus.services.compute.store.server_groups import ServerGroupRow
from pileus.services.placement import rules as placement


class Wish(msgspec.Struct, kw_only=True):
    """What a server needs of a host."""

    project_id: str
    resources: Mapping[str, int]
    """By resource class; see `resources_of`."""
    extra_specs: Mapping[str, str] = {}
    """Of the flavor."""
    image_properties: Mapping[str, str] = {}
    zone: str | None = None
    host: str | None = None
    """The one host asked for (2.74); the filters still apply."""
    forced_host: str | None = None
    """The one host that an administrator insists on: it must live and have room, nothing else is asked."""
    hints: Mapping[str, Any] = {}
    """same_host, different_host: server ids."""
    group: ServerGroupRow | None = None
    without: frozenset[str] = frozenset()
    """Hosts that were chosen before, and whose room was gone when it came to the claim."""


class View(msgspec.Struct, kw_only=True):
    """A host as the filters see it."""

    row: HostRow
    is_up: bool
    zone: str
    aggregates: list[AggregateRow]
    traits: frozenset[str]
    free: Mapping[str, int] | None
    """None: not enough."""
    capacity: Mapping[str, int]
    short: str
    """What there is not enough of."""
    in_group: int
    """How many servers of the wish's group are here; `group_size` are somewhere."""
    group_size: int
    servers: frozenset[str]
    """Of those named in the hints, the ones that are here."""


class Choice(msgspec.Struct):
    host: str
    provider_id: str
    zone: str


class Removed(msgspec.Struct):
    """By one filter: host -> reason."""

    filter: str
    reasons: dict[str, str]


class Refusal(msgspec.Struct):
    """No host is left, and why."""

    hosts: int
    removed: list[Removed]

    @property
    def message(self) -> str:
        if not self.hosts:
            return "No valid host was found. There are no hosts: none has registered."
        parts = [
            f"{one.filter} removed {len(one.reasons)} ({_first(one.reasons)})" for one in self.removed if one.reasons
        ]
        return f"No valid host was found. Of {self.hosts} hosts, {', '.join(parts)}."


def _first(reasons: Mapping[str, str], most: int = 3) -> str:
    shown = [f"{host}: {reason}" for host, reason in list(reasons.items())[:most]]
    return "; ".join([*shown, "..."] if len(reasons) > most else shown)


Filter = Callable[[View, Wish], str | None]
Weigher = Callable[[View, Wish], float]


def resources_of(
    vcpus: int, ram: int, disk: int, ephemeral: int, swap: int, specs: Mapping[str, str]
) -> dict[str, int]:
    """What a flavor (MiB of ram and swap, GiB of disk and ephemeral) takes; `resources:CLASS` extra specs override."""
    found = {"VCPU": vcpus, "MEMORY_MB": ram, "DISK_GB": disk + ephemeral + math.ceil(swap / 1024)}
    for key, value in specs.items():
        name = key.removeprefix("resources:")
        if name != key and value.isascii() and value.isdigit():
            found[name] = int(value)
    return {name: amount for name, amount in found.items() if amount}


def tried(view: View, wish: Wish) -> str | None:
    return "others took its room while it was chosen" if view.row.name in wish.without else None


def forced(view: View, wish: Wish) -> str | None:
    wanted = wish.forced_host or wish.host
    return f"{wanted} was asked for" if wanted and view.row.name != wanted else None


def capacity(view: View, wish: Wish) -> str | None:
    return view.short if view.free is None else None


def up(view: View, wish: Wish) -> str | None:
    if view.is_up:
        return None
    return (
        "it was forced down" if view.row.forced_down else f"it was last seen at {view.row.last_seen:%Y-%m-%dT%H:%M:%SZ}"
    )


def enabled(view: View, wish: Wish) -> str | None:
    return f"it is disabled: {view.row.disabled_reason or 'no reason given'}" if view.row.disabled else None


def zone(view: View, wish: Wish) -> str | None:
    return f"it is in zone {view.zone}, not {wish.zone}" if wish.zone and view.zone != wish.zone else None


def traits(view: View, wish: Wish) -> str | None:
    for source in (wish.extra_specs, wish.image_properties):
        for key, value in source.items():
            name = key.removeprefix("trait:")
            if name != key and (name in view.traits) != (value == "required"):
                return f"trait {name} is {value}"
    return None


def group(view: View, wish: Wish) -> str | None:
    if wish.group is None:
        return None
    if wish.group.policy == "affinity" and view.group_size and not view.in_group:
        return f"the servers of group {wish.group.name} are on another host"
    most = wish.group.max_server_per_host or 1
    if wish.group.policy == "anti-affinity" and view.in_group >= most:
        return f"it has {view.in_group} servers of group {wish.group.name}; {most} may be"
    return None


def servers(view: View, wish: Wish) -> str | None:
    same, different = hinted(wish.hints, "same_host"), hinted(wish.hints, "different_host")
    if same and not view.servers & same:
        return f"none of the servers {', '.join(sorted(same))} is here"
    if view.servers & different:
        return f"server {min(view.servers & different)} is here"
    return None


def project(view: View, wish: Wish) -> str | None:
    """An aggregate with `filter_tenant_id` is for those projects alone."""
    for one in view.aggregates:
        mine = {
            project.strip()
            for key, value in one.metadata.items()
            if key.startswith("filter_tenant_id")
            for project in value.split(",")
        }
        if mine and wish.project_id not in mine:
            return f"aggregate {one.name} is for other projects"
    return None


def aggregate_specs(view: View, wish: Wish) -> str | None:
    """`aggregate_instance_extra_specs:KEY` of the flavor must match the metadata of an aggregate."""
    for key, wanted in wish.extra_specs.items():
        name = key.removeprefix("aggregate_instance_extra_specs:")
        values = [one.metadata[name] for one in view.aggregates if name in one.metadata]
        if name != key and not any(matches(value, wanted) for value in values):
            return f"no aggregate of it has {name} {wanted}" + (f", but {', '.join(values)}" if values else "")
    return None


FILTERS: Sequence[Filter] = (
    forced,
    up,
    enabled,
    zone,
    capacity,
    traits,
    group,
    servers,
    project,
    aggregate_specs,
    tried,
)
FOR_FORCED: Sequence[Filter] = (forced, up, capacity, tried)


@cache
def plugged_in() -> tuple[Filter, ...]:
    return tuple(point.load() for point in entry_points(group="pileus.scheduler.filters"))


def room(view: View, wish: Wish) -> float:
    """The emptier the better: the smallest free part of what is asked for."""
    free, most = view.free or {}, view.capacity
    return min((free[name] / most[name] for name in free if most[name]), default=0.0)


def company(view: View, wish: Wish) -> float:
    if wish.group is None or not wish.group.policy.startswith("soft-"):
        return 0.0
    return 10.0 * view.in_group if wish.group.policy == "soft-affinity" else -10.0 * view.in_group


WEIGHERS: Sequence[Weigher] = (room, company)


SAMPLES = (8, 128)
"""How many hosts with room are compared. The best of eight is nearly the best of all, and servers that are created at
the same time do not all go for the same host; where none of them passes the filters, more are looked at, then all."""


def select(tx: Tx, wish: Wish) -> Choice | Refusal:
    """The best host for a wish, in a bounded number of statements; or, by filter, which hosts it removed and why."""
    for count in () if _names_hosts(wish) else SAMPLES:
        left = sampled(tx, wish, count)
        found = _best(left, wish)
        if isinstance(found, Choice):
            return found
        if len(left) < count:
            break
    return _best(views(tx, wish), wish)


def claim(tx: Tx, caller: Caller, server_id: str, wish: Wish) -> Choice | Refusal:
    """The best host that still has room when it comes to the claim, and the claim on it.

    A host where another transaction claims at this moment is passed over; its end is waited for only where no host is left.
    """
    project_id, user_id = caller.project_id or "", caller.user_id
    for waits in (False, True):
        left = wish
        while isinstance(choice := select(tx, left), Choice):
            if placement.claim(tx, server_id, project_id, user_id, choice.provider_id, wish.resources, waits=waits):
                return choice
            left = msgspec.structs.replace(left, without=left.without | {choice.host})
        if left is wish:
            break
    return choice


def _asks_for_traits(wish: Wish) -> bool:
    """Filters of other packages may."""
    keys = (*wish.extra_specs, *wish.image_properties)
    return bool(plugged_in()) or any(key.startswith("trait:") for key in keys)


def _names_hosts(wish: Wish) -> bool:
    """Whether the wish says which hosts, by itself or by what is on them: a sample might not have them."""
    together = wish.group is not None and wish.group.policy.endswith("affinity") and "anti" not in wish.group.policy
    return bool(wish.forced_host or wish.host or together or hinted(wish.hints, "same_host"))


def _best(left: list[View], wish: Wish) -> Choice | Refusal:
    count = len(left)
    removed: list[Removed] = []
    for one in FOR_FORCED if wish.forced_host else (*FILTERS, *plugged_in()):
        reasons = {view.row.name: reason for view in left if (reason := one(view, wish))}
        left = [view for view in left if view.row.name not in reasons]
        removed.append(Removed(one.__name__, reasons))
    if not left:
        return Refusal(count, removed)
    best = max(left, key=lambda view: (sum(weigher(view, wish) for weigher in WEIGHERS), -view.row.number))
    return Choice(best.row.name, best.row.id, best.zone)


def sampled(tx: Tx, wish: Wish, count: int) -> list[View]:
    """Up to `count` hosts that have room."""
    found = placement.sample(tx, wish.resources, count, traits=_asks_for_traits(wish))
    if not found:
        return []
    return _views(tx, wish, hosts.of_ids(tx, [one.provider_id for one in found]), found, {})


def views(tx: Tx, wish: Wish) -> list[View]:
    """All hosts."""
    rows, candidates = hosts.find(tx), placement.candidates(tx, wish.resources)
    short = dict(placement.refusals(tx, wish.resources)) if len(candidates) < len(rows) else {}
    return _views(tx, wish, rows, candidates, short)


def _views(
    tx: Tx, wish: Wish, rows: Sequence[HostRow], found: Sequence[placement.Candidate], short: Mapping[str, str]
) -> list[View]:
    candidates = {one.provider_id: one for one in found}
    members = (
        [one.host for one in server_groups.members(tx, [wish.group.id]).get(wish.group.id, ())] if wish.group else []
    )
    named = hinted(wish.hints, "same_host") | hinted(wish.hints, "different_host")
    where = server_groups.hosts_of_servers(tx, sorted(named)) if named else {}
    memberships = memberships_of_hosts(tx, [row.name for row in rows] if len(rows) <= max(SAMPLES) else None)
    placed = [host for host in members if host]

    def view(row: HostRow, at: datetime) -> View:
        candidate = candidates.get(row.id)
        mine = memberships.get(row.name, [])
        return View(
            row=row,
            is_up=host_rules.is_up(row, at),
            zone=next((one.zone for one in mine if one.zone), DEFAULT_ZONE),
            aggregates=mine,
            traits=candidate.traits if candidate else frozenset(),
            free=candidate.free if candidate else None,
            capacity=candidate.capacity if candidate else {},
            short=short.get(row.name, "it has none of what is asked for"),
            in_group=placed.count(row.name),
            group_size=len(placed),
            servers=frozenset(server for server, host in where.items() if host == row.name),
        )

    return [view(row, tx.now) for row in rows]


def memberships_of_hosts(tx: Tx, names: Sequence[str] | None) -> dict[str, list[AggregateRow]]:
    """host (of those named) -> its aggregates, the oldest first."""
    known = {row.id: row for row in aggregates.find(tx)}
    found: dict[str, list[AggregateRow]] = {}
    for aggregate_id, members in aggregates.hosts_by_aggregate(tx, names).items() if known else ():
        for host in members:
            found.setdefault(host, []).append(known[aggregate_id])
    return found


def hinted(hints: Mapping[str, Any], name: str) -> frozenset[str]:
    """The server ids under a hint, which may be one or a list."""
    value = hints.get(name) or []
    return frozenset([value] if isinstance(value, str) else [str(one) for one in value])


def matches(value: str, wanted: str) -> bool:
    """`wanted` is a plain value, or an operator with operands: <or> a <or> b, <in> part, <all-in> a b, s== text, >= 3."""
    operator, _, rest = wanted.partition(" ")
    operand = rest.strip()
    if operator == "<or>":
        return value in [part.strip() for part in wanted.split("<or>")]
    if operator == "<in>":
        return operand in value
    if operator == "<all-in>":
        return all(part in value for part in operand.split())
    compare = _TEXT.get(operator)
    if compare is not None:
        return compare(value, operand)
    number = _NUMBER.get(operator)
    if number is not None:
        try:
            return number(float(value), float(operand))
        except ValueError:
            return False
    return value == wanted


_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "s==": lambda a, b: a == b,
    "s!=": lambda a, b: a != b,
    "s<": lambda a, b: a < b,
    "s<=": lambda a, b: a <= b,
    "s>": lambda a, b: a > b,
    "s>=": lambda a, b: a >= b,
}
_NUMBER: Mapping[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}
