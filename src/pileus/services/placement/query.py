"""The query of allocation candidates: groups of resources, each with what it asks of its providers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.core.version import Version
from pileus.services.placement import filters, store
from pileus.services.placement.filters import BAD_VALUE, Set
from pileus.services.placement.rules.providers import parse_uuid
from pileus.services.placement.rules.search import Group, Wish

GROUPED = re.compile(r"(resources|required|member_of|in_tree)(|[a-zA-Z0-9_-]{1,64})")
NUMBER = re.compile(r"[1-9][0-9]*")
SINCE = {
    "limit": Version(1, 16),
    "required": Version(1, 17),
    "member_of": Version(1, 21),
    "group_policy": Version(1, 25),
    "in_tree": Version(1, 31),
    "root_required": Version(1, 35),
    "same_subtree": Version(1, 36),
}
GROUPS = Version(1, 25)
WORDS = Version(1, 33)
WITHOUT_RESOURCES = Version(1, 36)
DUPLICATE = "placement.query.duplicate_key"
MISSING = "placement.query.missing_value"


def parse(tx: Tx, pairs: Sequence[tuple[str, str]], version: Version) -> Wish:
    """Raises BadRequest naming the parameter."""
    grouped: dict[str, dict[str, list[str]]] = {}
    single: dict[str, list[str]] = {}
    for key, value in pairs:
        found = GROUPED.fullmatch(key)
        if key in ("limit", "group_policy", "root_required", "same_subtree"):
            _check_version(key, key, version)
            single.setdefault(key, []).append(value)
        elif found and _suffix_allowed(found[2], version):
            _check_version(found[1], key, version)
            grouped.setdefault(found[2], {}).setdefault(found[1], []).append(value)
        else:
            raise BadRequest(f"'{key[:64]}' is no parameter of allocation candidates in version {version}.")
    wish = Wish(groups={suffix: _group(tx, suffix, values, version) for suffix, values in sorted(grouped.items())})
    wish.limit = _limit(single)
    wish.isolate = _isolate(single)
    if "root_required" in single:
        wish.root_traits = filters.parse_required(tx, [_only("root_required", single)], version, "root_required")
        if any(len(one) > 1 for one in wish.root_traits.any_of):
            raise BadRequest("root_required takes no in: lists.", code=BAD_VALUE)
    wish.subtrees = [frozenset(value.split(",")) for value in single.get("same_subtree", [])]
    _check(wish, "group_policy" in single, version)
    return wish


def _check_version(name: str, key: str, version: Version) -> None:
    if name in SINCE and version < SINCE[name]:
        raise BadRequest(f"{key} needs placement {SINCE[name]}; this request is of version {version}.")


def _suffix_allowed(suffix: str, version: Version) -> bool:
    return not suffix or version >= WORDS or (version >= GROUPS and bool(NUMBER.fullmatch(suffix)))


def _only(key: str, values: dict[str, list[str]]) -> str:
    if len(values[key]) > 1:
        raise BadRequest(f"{key} may be given once.", code=DUPLICATE)
    return values[key][0]


def _limit(single: dict[str, list[str]]) -> int | None:
    if "limit" not in single:
        return None
    text = _only("limit", single)
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise BadRequest(f"limit must be a whole number of 1 or more, got '{text[:64]}'.", code=BAD_VALUE)
    return int(text)


def _isolate(single: dict[str, list[str]]) -> bool:
    if "group_policy" not in single:
        return False
    text = _only("group_policy", single)
    if text not in ("none", "isolate"):
        raise BadRequest(f"group_policy must be none or isolate, got '{text[:64]}'.", code=BAD_VALUE)
    return text == "isolate"


def _group(tx: Tx, suffix: str, values: dict[str, list[str]], version: Version) -> Group:
    resources = {}
    if "resources" in values:
        resources = filters.parse_resources(tx, _only("resources", values), "resources" + suffix)
    tree = None
    if "in_tree" in values:
        name = "in_tree" + suffix
        member = store.providers.provider(tx, parse_uuid(_only("in_tree", values), name))
        tree = member.root_id if member else ""
    return Group(
        resources=resources,
        traits=filters.parse_required(tx, values.get("required", []), version, "required" + suffix),
        aggregates=filters.parse_member_of(values.get("member_of", []), version, "member_of" + suffix),
        tree=tree,
    )


def _check(wish: Wish, has_policy: bool, version: Version) -> None:
    in_subtrees = {suffix for one in wish.subtrees for suffix in one}
    unknown = sorted(in_subtrees - {*wish.groups})
    if unknown or "" in in_subtrees:
        raise BadRequest(f"same_subtree names groups that are not there: {', '.join(unknown)[:255]}.", code=BAD_VALUE)
    for suffix, group in wish.groups.items():
        if group.resources:
            continue
        if version < WITHOUT_RESOURCES or suffix not in in_subtrees or group.traits == Set():
            raise BadRequest(
                f"There are no resources{suffix}; a group has them, or required{suffix} and a place in same_subtree.",
                code=MISSING,
            )
    if not any(group.resources for group in wish.groups.values()):
        raise BadRequest("At least one group of resources is needed: give resources=CLASS:AMOUNT.", code=MISSING)
    if sum(bool(suffix) for suffix, group in wish.groups.items() if group.resources) > 1 and not has_policy:
        raise BadRequest("More than one granular group of resources needs group_policy.", code=MISSING)
