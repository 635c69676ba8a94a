"""How a directory says that a user is enabled: an attribute, a bit of one, or membership of a group."""

from __future__ import annotations

from typing import Any

import ldap

from pileus.core.errors import Forbidden
from pileus.services.identity.drivers.ldap_connection import Connections
from pileus.services.identity.drivers.ldap_tree import Found, Members, Tree, normal_dn
from pileus.services.identity.types.domain_config import LdapOptions

_TRUE = frozenset({"true", "1", "yes", "on"})
_MEMBER = "member"


class Switch:
    def __init__(self, options: LdapOptions, users: Tree, connections: Connections) -> None:
        self._options, self._users, self._connections = options, users, connections
        self._group = options.user_enabled_emulation_dn or f"cn=enabled_users,{options.user_tree_dn}"
        self._members = Members(_MEMBER, connections)

    def group(self) -> frozenset[str] | None:
        """The DNs in the group of the enabled; None where there is no such group in use."""
        if not self._options.user_enabled_emulation:
            return None

        def read(link: Any) -> list[Any]:
            try:
                found: list[Any] = link.search_s(self._group, ldap.SCOPE_BASE, attrlist=[_MEMBER])
                return found
            except ldap.NO_SUCH_OBJECT:
                return []

        found = [Found(dn, attributes) for dn, attributes in self._connections.ask(read)]
        return frozenset(normal_dn(dn) for entry in found for dn in entry.texts(_MEMBER))

    def is_on(self, found: Found, group: frozenset[str] | None) -> bool:
        if group is not None:
            return normal_dn(found.dn) in group
        value = found.text(self._options.user_enabled_attribute) or str(self._options.user_enabled_default)
        mask = self._options.user_enabled_mask
        if mask:
            return not (value.isdigit() and int(value) & mask)
        return (value.lower() in _TRUE) != self._options.user_enabled_invert

    def first_value(self, enabled: bool) -> dict[str, str]:
        """Of a new user's attributes, the one that says it. Raises Forbidden where none could say that one is disabled."""
        if self._options.user_enabled_attribute and not self._options.user_enabled_emulation:
            return {self._options.user_enabled_attribute: self._value(None, enabled)}
        if not enabled and not self._options.user_enabled_emulation:
            raise self._no_switch()
        return {}

    def turn(self, found: Found, enabled: bool) -> None:
        """Raises Forbidden where the directory can't say it."""
        if self._options.user_enabled_emulation:
            self._turn_in_group(found.dn, enabled)
        elif self._options.user_enabled_attribute:
            attribute = self._options.user_enabled_attribute
            self._users.put(found, attribute, self._value(found.text(attribute), enabled))
        elif not enabled:
            raise self._no_switch()

    def _value(self, now: str | None, enabled: bool) -> str:
        mask = self._options.user_enabled_mask
        if not mask:
            return str(enabled != self._options.user_enabled_invert).upper()
        text = now or str(self._options.user_enabled_default)
        bits = int(text) if text.isdigit() else 0
        return str(bits & ~mask if enabled else bits | mask)

    def _turn_in_group(self, dn: str, enabled: bool) -> None:
        if not enabled:
            self._members.remove(self._group, dn)
            return
        try_new = [("objectClass", [b"groupOfNames"]), (_MEMBER, [dn.encode()])]

        def make(link: Any) -> bool:
            try:
                link.add_s(self._group, try_new)
                return True
            except ldap.ALREADY_EXISTS:
                return False

        if not self._connections.ask(make, again=False):
            self._members.add(self._group, dn)

    def _no_switch(self) -> Forbidden:
        return Forbidden(
            "This domain's directory has nothing that says that a user is disabled: set ldap.user_enabled_attribute, or "
            "ldap.user_enabled_emulation."
        )
