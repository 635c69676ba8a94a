"""Users and groups that are nowhere but in their rows: there is nobody to ask and nothing to do elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pileus.core.db import new_hex_id
from pileus.services.identity.drivers.protocol import Look
from pileus.services.identity.types.users import GroupRow, UserRow


class SqlDriver:
    keeps_passwords = False

    def look(self, what: Look) -> bool:
        return False

    def visit(self) -> None: ...

    def sign_on(self, user: UserRow | None, name: str | None, password: str) -> UserRow | None:
        raise AssertionError("passwords of this driver are compared with their hashes")

    def create_user(self, name: str, enabled: bool, password: str | None, fields: Mapping[str, Any]) -> str:
        return new_hex_id()

    def update_user(self, user: UserRow, values: Mapping[str, Any]) -> None: ...

    def delete_user(self, user: UserRow) -> None: ...

    def create_group(self, name: str, fields: Mapping[str, Any]) -> str:
        return new_hex_id()

    def update_group(self, group: GroupRow, values: Mapping[str, Any]) -> None: ...

    def delete_group(self, group: GroupRow) -> None: ...

    def add_member(self, group: GroupRow, user: UserRow) -> None: ...

    def remove_member(self, group: GroupRow, user: UserRow) -> None: ...
