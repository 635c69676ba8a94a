"""What the operator says of images' properties, in STATE/policy.d/image-properties.yaml:

    protect:                     # the first whose name matches (a regular expression, of the whole name) decides
      - name: "billing_.*"
        create: [admin]          # roles; "rule:NAME" for a rule of the image policy; "@" for everybody; [] for nobody
        read: ["@"]
        update: [admin]
        delete: [admin]
    inject:                      # put on every image that is imported
      unless: [admin]            # roles whose imports get none
      properties: {imported: "yes"}

What is not named is free, and so is every property whose name matches nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import msgspec

from pileus.core.context import Caller
from pileus.core.errors import Forbidden
from pileus.core.operator import OperatorFile
from pileus.services.image.service import api

Operation = Literal["create", "read", "update", "delete"]
FILE = "image-properties.yaml"
EVERYBODY = ("@",)


class Protection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    name: str
    create: tuple[str, ...] = EVERYBODY
    read: tuple[str, ...] = EVERYBODY
    update: tuple[str, ...] = EVERYBODY
    delete: tuple[str, ...] = EVERYBODY


class Injection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    properties: dict[str, str] = {}
    unless: list[str] = []


class Wishes(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    protect: list[Protection] = []
    inject: Injection = Injection()


class Rules(msgspec.Struct, frozen=True):
    protections: list[tuple[re.Pattern[str], Protection]]
    inject: Injection


def _read(found: object) -> Rules:
    """Raises ValueError, re.error with what is wrong in the file."""
    wishes = msgspec.convert(found or {}, Wishes)
    assert api.policy is not None
    for each in wishes.protect:
        for who in (*each.create, *each.read, *each.update, *each.delete):
            if who.startswith("rule:") and who.removeprefix("rule:") not in api.policy.names:
                raise ValueError(f"'{each.name}' names the rule '{who}', which the image policy does not have")
    return Rules([(re.compile(each.name), each) for each in wishes.protect], wishes.inject)


class Protections:
    """The rules of this process; without a file everything is free."""

    def __init__(self) -> None:
        self._free = _read(None)
        self._file: OperatorFile[Rules] | None = None

    def override_by(self, file: Path) -> None:
        """Let the operator's file say what is protected from now on."""
        self._file = OperatorFile(file, _read)

    @property
    def trouble(self) -> str:
        """Why the file was refused when it was read last; empty where it was not."""
        return self._file.trouble if self._file else ""

    @property
    def _rules(self) -> Rules:
        return self._file.current() if self._file else self._free

    @property
    def are_there(self) -> bool:
        """Whether any property is protected."""
        return bool(self._rules.protections)

    def allows(self, operation: Operation, caller: Caller, name: str) -> bool:
        for pattern, protection in self._rules.protections:
            if pattern.fullmatch(name):
                return any(_is(who, caller) for who in getattr(protection, operation))
        return True

    def enforce(self, operation: Operation, caller: Caller, name: str) -> None:
        """Raises Forbidden."""
        if not self.allows(operation, caller, name):
            raise Forbidden(f"Property '{name[:255]}' is protected: you may not {operation} it.")

    def readable(self, caller: Caller, properties: dict[str, str]) -> dict[str, str]:
        """Those that the caller may see."""
        return {name: value for name, value in properties.items() if self.allows("read", caller, name)}

    def injected(self, caller: Caller) -> dict[str, str]:
        """What an import by this caller gets."""
        inject = self._rules.inject
        return {} if caller.roles.intersection(inject.unless) else inject.properties


def _is(who: str, caller: Caller) -> bool:
    if who.startswith("rule:"):
        assert api.policy is not None
        return api.policy.allows(who.removeprefix("rule:"), caller)
    return who == "@" or who in caller.roles


protections = Protections()
"""The process's, as its policies are."""
