"""Identity providers, protocols and mappings of other clouds' users; service providers for this cloud's."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET

from pileus.core.body import Body, Unset, length, pattern
from pileus.services.identity import tables
from pileus.services.identity.types.base import Id, Row

Minutes = Annotated[int, msgspec.Meta(ge=0, le=525_600 * 10)]
RemoteIds = Annotated[list[Annotated[str, length(1, 255)]], length(0, 1000)]
Url = Annotated[str, length(1, 225), pattern(r"[a-zA-Z0-9+.-]+:.+")]


class IdentityProviderRow(Row):
    __table__ = tables.identity_providers
    __noun__ = "identity_provider"
    __collection__ = "OS-FEDERATION/identity_providers"
    __filters__ = ("id", "enabled")

    domain_id: str
    enabled: bool
    description: str | None
    authorization_ttl: int | None
    """Minutes for which memberships from a log-in last beyond its token; None or 0: not at all."""


class IdentityProviderCreate(Body):
    __wrap__ = "identity_provider"

    domain_id: Id | None = None
    enabled: bool | None = None
    description: str | None = None
    authorization_ttl: Minutes | None = None
    remote_ids: RemoteIds | None = None


class IdentityProviderUpdate(Body):
    __wrap__ = "identity_provider"

    enabled: bool | Unset | None = UNSET
    description: str | Unset | None = UNSET
    authorization_ttl: Minutes | Unset | None = UNSET
    remote_ids: RemoteIds | Unset | None = UNSET


class MappingRow(Row):
    __table__ = tables.mappings
    __noun__ = "mapping"
    __collection__ = "OS-FEDERATION/mappings"
    __filters__ = ("id",)

    rules: list[dict[str, Any]]
    schema_version: str


class MappingWish(Body, forbid_unknown_fields=False):
    """What is unknown is not looked at: clients repeat the id that the path has."""

    __wrap__ = "mapping"

    rules: Annotated[list[dict[str, Any]], length(1, 1000)]
    schema_version: Literal["1.0", "2.0"] | None = None
    """None: 1.0 for a new one, else as it was."""


class ProtocolRow(Row):
    """The API calls `name` its id: it is one only below its identity provider."""

    __table__ = tables.protocols
    __noun__ = "protocol"
    __collection__ = "OS-FEDERATION/identity_providers"
    __hidden__ = frozenset({"identity_provider_id", "name", "sign_on", "secret"})

    identity_provider_id: str
    name: str
    mapping_id: str
    remote_id_attribute: str | None
    sign_on: dict[str, Any] | None
    """How Pileus itself asks the identity provider; None: it does not."""
    secret: str | None


class ProtocolCreate(Body):
    __wrap__ = "protocol"

    mapping_id: Id
    remote_id_attribute: Annotated[str, length(1, 64)] | None = None


class ProtocolUpdate(Body):
    __wrap__ = "protocol"

    mapping_id: Id | Unset = UNSET
    remote_id_attribute: Annotated[str, length(1, 64)] | Unset | None = UNSET


class ServiceProviderRow(Row):
    __table__ = tables.service_providers
    __noun__ = "service_provider"
    __collection__ = "OS-FEDERATION/service_providers"
    __filters__ = ("id", "enabled")

    auth_url: str
    sp_url: str
    enabled: bool
    description: str | None
    relay_state_prefix: str


class ServiceProviderCreate(Body):
    __wrap__ = "service_provider"

    auth_url: Url
    sp_url: Url
    enabled: bool | None = None
    description: str | None = None
    relay_state_prefix: Annotated[str, length(0, 255)] | None = None


class ServiceProviderUpdate(Body):
    __wrap__ = "service_provider"

    auth_url: Url | Unset = UNSET
    sp_url: Url | Unset = UNSET
    enabled: bool | Unset | None = UNSET
    description: str | Unset | None = UNSET
    relay_state_prefix: Annotated[str, length(0, 255)] | Unset | None = UNSET


class SigningKeyRow(Row):
    """With what this cloud signs, by its use: what it says in SAML, and certificates. The private key is sealed."""

    __table__ = tables.signing_keys
    __noun__ = "signing_key"
    __collection__ = "OS-FEDERATION/saml2/metadata"

    private_key: str
    certificate: str


class FederatedUser(msgspec.Struct, frozen=True):
    """By which name a protocol of an identity provider knows a user."""

    user_id: str
    identity_provider_id: str
    protocol: str
    unique_id: str


class Membership(msgspec.Struct, frozen=True):
    """Of a group, until it ends: the identity provider may not vouch for it again."""

    user_id: str
    group_id: str
    identity_provider_id: str
    verified_at: datetime
    expires_at: datetime
