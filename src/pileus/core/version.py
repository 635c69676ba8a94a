"""API versions: the microversions of a service and the windows in which things exist."""

from __future__ import annotations

import re
from typing import NamedTuple

_FORM = re.compile(r"^([1-9]\d{0,2})\.(0|[1-9]\d{0,3})$")


class Version(NamedTuple):
    """A microversion, compared as (major, minor); 2.10 is later than 2.9."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"

    @classmethod
    def parse(cls, text: str) -> Version:
        """Raises ValueError unless `text` is MAJOR.MINOR without leading zeros."""
        found = _FORM.match(text)
        if not found:
            raise ValueError(f"'{text}' is not a version of the form MAJOR.MINOR")
        return cls(int(found[1]), int(found[2]))


FIRST = Version(0, 0)
LAST = Version(999, 9999)


class Window(NamedTuple):
    """The versions in which a route, a field or a rule exists, both ends included."""

    since: Version = FIRST
    until: Version = LAST

    def __contains__(self, version: object) -> bool:
        return isinstance(version, Version) and self.since <= version <= self.until

    @classmethod
    def of(cls, since: str | None = None, until: str | None = None) -> Window:
        return cls(Version.parse(since) if since else FIRST, Version.parse(until) if until else LAST)


ALWAYS = Window()
