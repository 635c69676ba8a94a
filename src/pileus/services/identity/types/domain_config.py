"""What a domain can be configured to do otherwise than the others: where its users are, and how they are read there."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from pileus.core.body import Body

Config = dict[str, dict[str, Any]]
"""Group -> option -> value."""

Attribute = Annotated[str, Meta(pattern="^[A-Za-z0-9.;-]*$")]
"""The name of an LDAP attribute or object class; it stands in filters as it is."""

Pair = Annotated[str, Meta(pattern="^[A-Za-z0-9.;-]+:[A-Za-z0-9_.-]+$")]
"""ldap-attribute:field-of-the-API."""


class ConfigBody(Body):
    """PUT and PATCH of a configuration: groups with their options, or one option."""

    config: dict[str, Any]


class IdentityOptions(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    driver: str = "sql"
    """Where users and groups are: sql, ldap. Any other name is kept, and the domain's users wait for a driver of that name."""
    list_limit: Annotated[int, Meta(ge=0)] | None = None
    """The most users or groups that a list of the domain has; 0 or None: all."""


class LdapOptions(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How the directory is reached, and what in it is a user or a group. An attribute that is "" is not there."""

    url: str = "ldap://localhost"
    """ldap:// or ldaps://; several with commas between them, tried in this order."""
    user: str | None = None
    """The DN that Pileus binds as; None: nobody."""
    password: str | None = None
    use_tls: bool = False
    """Start TLS on an ldap:// connection."""
    tls_cacertfile: str | None = None
    """PEM file on the machine of the API; None: the machine's own certificates."""
    tls_req_cert: Literal["demand", "allow", "never"] = "demand"
    connection_timeout: Annotated[int, Meta(ge=1, le=30)] = 5
    """Seconds to wait for a connection and for each answer."""
    pool_size: Annotated[int, Meta(ge=1, le=100)] = 4
    """Connections kept open by each process."""
    pool_connection_lifetime: Annotated[int, Meta(ge=1)] = 600
    """Seconds."""
    chase_referrals: bool = False
    query_scope: Literal["one", "sub"] = "one"
    """Whether users and groups are right below their tree's DN or anywhere in it."""
    page_size: Annotated[int, Meta(ge=0, le=100_000)] = 0
    """Entries to ask for at once; 0: all."""

    user_tree_dn: str = ""
    user_filter: str = ""
    user_objectclass: Attribute = "inetOrgPerson"
    user_id_attribute: Attribute = "cn"
    user_name_attribute: Attribute = "sn"
    user_description_attribute: Attribute = "description"
    user_mail_attribute: Attribute = "mail"
    user_default_project_id_attribute: Attribute = ""
    user_additional_attribute_mapping: list[Pair] = []
    user_enabled_attribute: Attribute = ""
    user_enabled_invert: bool = False
    """The attribute says whether the user is locked."""
    user_enabled_mask: Annotated[int, Meta(ge=0)] = 0
    """The bit of the attribute that is set for a disabled user; 0: the attribute is TRUE or FALSE."""
    user_enabled_default: str | int | bool = True
    """The attribute's value where an entry has none, and of a new user."""
    user_enabled_emulation: bool = False
    """The members of a group are the enabled users."""
    user_enabled_emulation_dn: str = ""
    """That group; "": cn=enabled_users in the user tree."""
    user_allow_create: bool = False
    user_allow_update: bool = False
    user_allow_delete: bool = False

    group_tree_dn: str = ""
    """"": the domain has no groups."""
    group_filter: str = ""
    group_objectclass: Attribute = "groupOfNames"
    group_id_attribute: Attribute = "cn"
    group_name_attribute: Attribute = "ou"
    group_desc_attribute: Attribute = "description"
    group_member_attribute: Attribute = "member"
    group_members_are_ids: bool = False
    """Members stand in the group by their user_id_attribute, not by their DN."""
    group_additional_attribute_mapping: list[Pair] = []
    group_allow_create: bool = False
    group_allow_update: bool = False
    group_allow_delete: bool = False


GROUPS: dict[str, type[msgspec.Struct]] = {"identity": IdentityOptions, "ldap": LdapOptions}
SECRET = {("ldap", "password")}
"""Options that can be set but not seen."""


def driver_of(config: Config) -> str:
    return str(config.get("identity", {}).get("driver") or "sql")
