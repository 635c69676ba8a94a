"""The filters in queries: resources, traits and aggregates, as text and as what they ask for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pileus.core.db import Tx
from pileus.core.errors import BadRequest
from pileus.core.version import Version
from pileus.services.placement.rules import names
from pileus.services.placement.rules.providers import MAX_UNIT, parse_uuid

FORBIDDEN_TRAITS = Version(1, 22)
SEVERAL_AGGREGATES = Version(1, 24)
FORBIDDEN_AGGREGATES = Version(1, 32)
ANY_TRAITS = Version(1, 39)
BAD_VALUE = "placement.query.bad_value"


class Set(msgspec.Struct, frozen=True):
    """Traits or aggregates: of each of `any_of` one must be there, none of `forbidden` may."""

    any_of: tuple[frozenset[str], ...] = ()
    forbidden: frozenset[str] = frozenset()

    def allows(self, have: set[str] | frozenset[str]) -> bool:
        return not self.forbidden & have and all(one & have for one in self.any_of)


def parse_resources(tx: Tx, text: str, name: str = "resources") -> dict[str, int]:
    """VCPU:1,MEMORY_MB:512. Raises BadRequest."""
    found: dict[str, int] = {}
    for part in text.split(","):
        resource_class, _, amount = part.strip().partition(":")
        if not amount.isascii() or not amount.isdigit() or len(amount) > 10 or not 1 <= int(amount) <= MAX_UNIT:
            raise _bad(f"{name} must be like VCPU:1,MEMORY_MB:512 with amounts of 1 or more, got '{part[:64]}'.")
        if resource_class in found:
            raise _bad(f"{name} names {resource_class} twice.")
        found[resource_class] = int(amount)
    names.check_classes(tx, found)
    return found


def parse_required(tx: Tx, values: Sequence[str], version: Version, name: str = "required") -> Set:
    """A,!B and, from 1.39 on, in:A,B and repeats. Raises BadRequest."""
    if len(values) > 1 and version < ANY_TRAITS:
        raise BadRequest(f"{name} may be given several times from placement {ANY_TRAITS} on.", code=BAD_VALUE)
    any_of: list[frozenset[str]] = []
    forbidden: set[str] = set()
    for value in values:
        if value.startswith("in:") and version >= ANY_TRAITS:
            any_of.append(frozenset(value[3:].split(",")))
            continue
        for part in value.split(","):
            if not part.startswith("!"):
                any_of.append(frozenset({part}))
            elif version < FORBIDDEN_TRAITS:
                raise _bad(f"{name}: forbidden traits need placement {FORBIDDEN_TRAITS}, got '{part[:64]}'.")
            else:
                forbidden.add(part[1:])
    asked = {trait for one in any_of for trait in one}
    if "" in asked | forbidden:
        raise _bad(f"{name} must be a list of traits, got '{','.join(values)[:64]}'.")
    both = sorted({trait for one in any_of if len(one) == 1 for trait in one} & forbidden)
    if both:
        raise _bad(f"{name} has traits both required and forbidden: {', '.join(both)}.")
    names.check_traits(tx, asked | forbidden)
    return Set(tuple(any_of), frozenset(forbidden))


def parse_member_of(values: Sequence[str], version: Version, name: str = "member_of") -> Set:
    """UUID, in:UUID,UUID and, from 1.32 on, either with ! before it. Raises BadRequest."""
    if len(values) > 1 and version < SEVERAL_AGGREGATES:
        raise BadRequest(f"{name} may be given several times from placement {SEVERAL_AGGREGATES} on.", code=BAD_VALUE)
    any_of: list[frozenset[str]] = []
    forbidden: set[str] = set()
    for value in values:
        negated = value.startswith("!")
        if negated and version < FORBIDDEN_AGGREGATES:
            raise _bad(f"{name}: forbidden aggregates need placement {FORBIDDEN_AGGREGATES}, got '{value[:64]}'.")
        text = value.removeprefix("!")
        ids = text[3:].split(",") if text.startswith("in:") else [text]
        parsed = {parse_uuid(one, name) for one in ids}
        if negated:
            forbidden |= parsed
        else:
            any_of.append(frozenset(parsed))
    return Set(tuple(any_of), frozenset(forbidden))


def _bad(message: str) -> BadRequest:
    return BadRequest(message, code=BAD_VALUE)
