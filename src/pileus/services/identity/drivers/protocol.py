"""What the rules for users and groups ask of a driver."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from pileus.services.identity.types.directory import Kind
from pileus.services.identity.types.users import GroupRow, UserRow


class Look(msgspec.Struct, frozen=True):
    """What of a domain is about to be read: one user or group with its memberships, those of a name, or all."""

    kind: Kind
    id: str | None = None
    name: str | None = None


class Driver(Protocol):
    """Another machine may have to be asked, so no method is called within a transaction that writes.

    All that ask raise ServiceUnavailable. Changes raise Forbidden, Conflict and BadRequest, as the domain's configuration and
    the other machine decide; `values` are columns and their new values, and `password`: what is in rows alone is passed over.
    """

    keeps_passwords: bool
    """Rows have no password hashes, and the cloud has no rules for passwords."""

    def look(self, what: Look) -> bool:
        """Bring rows up to date. True where some changed, which a transaction that has begun does not see."""

    def visit(self) -> None:
        """Bring all rows up to date of what is known already: done now and then, whoever asks for nothing."""

    def sign_on(self, user: UserRow | None, name: str | None, password: str) -> UserRow | None:
        """The user whose password it is, by row or else by name; asked only where the driver keeps passwords."""

    def create_user(self, name: str, enabled: bool, password: str | None, fields: Mapping[str, Any]) -> str:
        """The id of the row that is to stand for the user."""

    def update_user(self, user: UserRow, values: Mapping[str, Any]) -> None: ...

    def delete_user(self, user: UserRow) -> None: ...

    def create_group(self, name: str, fields: Mapping[str, Any]) -> str:
        """The id of the row that is to stand for the group."""

    def update_group(self, group: GroupRow, values: Mapping[str, Any]) -> None: ...

    def delete_group(self, group: GroupRow) -> None: ...

    def add_member(self, group: GroupRow, user: UserRow) -> None: ...

    def remove_member(self, group: GroupRow, user: UserRow) -> None: ...
