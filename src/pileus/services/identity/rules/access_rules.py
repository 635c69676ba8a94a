"""What the access rules of an application credential permit."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pileus.services.identity.types.credentials import AccessRuleRow

SERVICES = {"volumev3": "block-storage", "volume": "block-storage"}
"""Names that a service has beside its own."""


def permission(allowed: Sequence[AccessRuleRow]) -> Callable[[str, str, str], bool]:
    """(service, method, path below the service's root) -> whether one of the rules permits it."""
    compiled = [(SERVICES.get(rule.service, rule.service), rule.method, _pattern(rule.path)) for rule in allowed]

    def permits(service: str, method: str, path: str) -> bool:
        return any(service == known and method == verb and pattern.fullmatch(path) for known, verb, pattern in compiled)

    return permits


def _pattern(path: str) -> re.Pattern[str]:
    """`*` and `{name}` stand for one part of a path, `**` for any number."""
    parts = re.split(r"(\*\*|\*|\{[^/{}]*\})", path)
    return re.compile("".join(".*" if p == "**" else "[^/]+" if p[:1] in ("*", "{") else re.escape(p) for p in parts))
