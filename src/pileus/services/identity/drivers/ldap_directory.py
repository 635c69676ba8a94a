"""What is in an LDAP directory (RFC 4511): its users and groups by their own ids, through OpenLDAP's library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pileus.core.errors import ServiceUnavailable
from pileus.services.identity.drivers.ldap_connection import Connections
from pileus.services.identity.drivers.ldap_enabled import Switch
from pileus.services.identity.drivers.ldap_tree import Found, Members, Tree, normal_dn
from pileus.services.identity.types.directory import GroupEntry, Kind, UserEntry
from pileus.services.identity.types.domain_config import LdapOptions

_NAMES_OF_PERSONS = ("cn", "sn")
"""What RFC 4519 wants of every person."""
_PERSONS = frozenset({"person", "organizationalperson", "inetorgperson"})


class Directory:
    """Reading needs no permission but the directory's; every change needs that of the domain's configuration too."""

    def __init__(self, domain_id: str, options: LdapOptions) -> None:
        """Connects to nothing yet. Raises ServiceUnavailable for options that can't be used."""
        if not options.user_tree_dn:
            raise ServiceUnavailable(f"Domain {domain_id} has no ldap.user_tree_dn: its users can't be found.")
        self._options = options
        self._connections = Connections(domain_id, options)
        self._users = Tree("user", domain_id, options, self._connections)
        self._users.fields |= _given(
            description=options.user_description_attribute,
            email=options.user_mail_attribute,
            default_project_id=options.user_default_project_id_attribute,
        )
        self._users.further = [options.user_enabled_attribute]
        self._groups = Tree("group", domain_id, options, self._connections)
        self._groups.fields |= _given(description=options.group_desc_attribute)
        self._groups.further = [options.group_member_attribute]
        self._members = Members(options.group_member_attribute, self._connections)
        self._switch = Switch(options, self._users, self._connections)

    def close(self) -> None:
        self._connections.close()

    @property
    def fields(self) -> dict[Kind, frozenset[str]]:
        """Which fields of users and groups the directory has, besides their names and whether they are enabled."""
        return {"user": frozenset(self._users.fields), "group": frozenset(self._groups.fields)}

    def handle(self, kind: Kind, local_id: str) -> str:
        """Of what is in the directory. Raises NotFound."""
        return self._handle(self._users.one(local_id)) if kind == "user" else normal_dn(self._groups.one(local_id).dn)

    # -- what is there

    def users(self, name: str | None = None, ids: Sequence[str] | None = None) -> list[UserEntry]:
        """All, those with a name, or those with local ids."""
        return self._as_users(self._users.search(name, ids))

    def users_named(self, handles: Iterable[str]) -> list[UserEntry]:
        """Those whom groups name so; a handle of anything else is passed over."""
        if self._options.group_members_are_ids:
            return self.users(ids=list(handles))
        return self._as_users(found for dn in handles for found in self._users.at(dn))

    def groups(
        self, name: str | None = None, ids: Sequence[str] | None = None, member: str | None = None
    ) -> list[GroupEntry]:
        """All, those with a name, those with local ids, or those with a member of a handle."""
        if not self._groups.dn:
            return []
        having = {self._members.attribute: member} if member is not None else {}
        return self._groups.usable(self._as_group(found) for found in self._groups.search(name, ids, having))

    def sign_on(self, password: str, name: str | None = None, local_id: str | None = None) -> UserEntry | None:
        """The user whose password it is. None, after as much work, for whoever is not there or not one alone."""
        found = self._users.search(name, [local_id] if local_id else None) if name or local_id else []
        alone = found[0] if len(found) == 1 else None
        proved = self._connections.proves(alone.dn if alone else self._users.new_dn("nobody"), password)
        users = self._as_users([alone]) if alone and proved else []
        return users[0] if users else None

    def _as_users(self, found: Iterable[Found]) -> list[UserEntry]:
        every = list(found)
        enabled = self._switch.group() if every else None
        return self._users.usable(self._as_user(one, enabled) for one in every)

    def _as_user(self, found: Found, enabled: frozenset[str] | None) -> UserEntry:
        extra = self._users.extra_of(found)
        return UserEntry(
            local_id=self._users.id_of(found),
            handle=self._handle(found),
            name=self._users.name_of(found),
            enabled=self._switch.is_on(found, enabled),
            default_project_id=extra.pop("default_project_id", None),
            extra=extra,
        )

    def _as_group(self, found: Found) -> GroupEntry:
        members = found.texts(self._members.attribute)
        extra = self._groups.extra_of(found)
        return GroupEntry(
            local_id=self._groups.id_of(found),
            handle=normal_dn(found.dn),
            name=self._groups.name_of(found),
            description=extra.pop("description", ""),
            extra=extra,
            members=frozenset(members if self._options.group_members_are_ids else map(normal_dn, members)),
        )

    def _handle(self, user: Found) -> str:
        return self._users.id_of(user) if self._options.group_members_are_ids else normal_dn(user.dn)

    # -- changes: all raise Forbidden where they are not allowed, and Conflict or BadRequest as the directory decides

    def create_user(self, name: str, enabled: bool, password: str | None, fields: Mapping[str, Any]) -> str:
        """Its local id."""
        self._users.must_allow("create")
        required = dict.fromkeys(_NAMES_OF_PERSONS, name) if self._is_person else {}
        local_id = self._users.add(name, fields, required | self._switch.first_value(enabled))
        user = self._users.one(local_id)
        if self._options.user_enabled_emulation and enabled:
            self._switch.turn(user, enabled)
        if password is not None:
            self._users.set_password(user, password)
        return local_id

    @property
    def _is_person(self) -> bool:
        return self._options.user_objectclass.lower() in _PERSONS

    def update_user(self, local_id: str, values: Mapping[str, Any]) -> None:
        """`values`: of name, enabled, password, and the fields that the directory has, those that change."""
        self._users.must_allow("update")
        user = self._users.one(local_id)
        self._users.change(user, values.get("name"), values)
        if "enabled" in values:
            self._switch.turn(user, values["enabled"])
        if values.get("password") is not None:
            self._users.set_password(user, values["password"])

    def delete_user(self, local_id: str) -> None:
        """Nothing happens where there is none."""
        for user in self._users.search(ids=[local_id]):
            self._users.must_allow("delete")
            self._delete(user)

    def _delete(self, user: Found) -> None:
        groups = self._groups.search(having={self._members.attribute: self._handle(user)}) if self._groups.dn else []
        for group in groups:
            self._members.remove(group.dn, self._handle(user))
        if self._options.user_enabled_emulation:
            self._switch.turn(user, False)
        self._users.remove(user)

    def create_group(self, name: str, fields: Mapping[str, Any]) -> str:
        """Its local id."""
        self._groups.must_allow("create")
        first = {} if self._options.group_members_are_ids else {self._members.attribute: Members.NOBODY}
        return self._groups.add(name, fields, first)

    def update_group(self, local_id: str, values: Mapping[str, Any]) -> None:
        """`values`: of name, description, and the fields that the directory has, those that change."""
        self._groups.must_allow("update")
        self._groups.change(self._groups.one(local_id), values.get("name"), values)

    def delete_group(self, local_id: str) -> None:
        """Nothing happens where there is none."""
        for group in self._groups.search(ids=[local_id]):
            self._groups.must_allow("delete")
            self._groups.remove(group)

    def add_member(self, group_id: str, user_id: str) -> None:
        """By local ids; nothing happens where the user is in the group."""
        self._groups.must_allow("update")
        self._members.add(self._groups.one(group_id).dn, self._handle(self._users.one(user_id)))

    def remove_member(self, group_id: str, user_id: str) -> None:
        self._groups.must_allow("update")
        self._members.remove(self._groups.one(group_id).dn, self._handle(self._users.one(user_id)))


def _given(**attributes: str) -> dict[str, str]:
    return {field: attribute for field, attribute in attributes.items() if attribute}
