"""What is in a token, and the body that asks for one."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET

from pileus.core.body import Query, Unset, length

Text = Annotated[str, length(0, 255)]
Secret = Annotated[str, length(0, 4096)]
Scope = Literal["unscoped", "project", "domain", "system"]


class Federation(msgspec.Struct, frozen=True):
    """Who vouched for the user of a token, and the groups that they are in because of it."""

    provider_id: str
    protocol: str
    group_ids: tuple[str, ...] = ()


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says. Times are microseconds since 1970."""

    user_id: str
    methods: tuple[str, ...]
    scope: Scope = "unscoped"
    scope_id: str | None = None
    issued_at: int
    expires_at: int
    audit_ids: tuple[str, ...]
    """Its own, and that of the first token of its chain."""
    trust_id: str | None = None
    application_credential_id: str | None = None
    federation: Federation | None = None
    access_token_id: str | None = None
    """Of OAuth 1."""
    certificate: str | None = None
    """The thumbprint of the client certificate that it is bound to."""


class DomainRef(msgspec.Struct):
    id: Text | None = None
    name: Text | None = None


class UserRef(msgspec.Struct):
    id: Text | None = None
    name: Text | None = None
    domain: DomainRef | None = None


class PasswordUser(UserRef):
    password: Secret = ""


class TotpUser(UserRef):
    passcode: Text = ""


class PasswordMethod(msgspec.Struct):
    user: PasswordUser


class TotpMethod(msgspec.Struct):
    user: TotpUser


class TokenMethod(msgspec.Struct):
    id: Secret


class ApplicationCredentialMethod(msgspec.Struct):
    secret: Secret
    id: Text | None = None
    name: Text | None = None
    user: UserRef | None = None


class Identity(msgspec.Struct):
    methods: Annotated[list[str], length(1, 8)]
    password: PasswordMethod | None = None
    token: TokenMethod | None = None
    totp: TotpMethod | None = None
    application_credential: ApplicationCredentialMethod | None = None
    saml2: TokenMethod | None = None
    openid: TokenMethod | None = None
    mapped: TokenMethod | None = None
    oauth1: dict[str, str] | None = None
    """Empty: the request's own signature is the proof."""


class ProjectRef(msgspec.Struct):
    id: Text | None = None
    name: Text | None = None
    domain: DomainRef | None = None


class SystemRef(msgspec.Struct):
    all: Literal[True]


class TrustRef(msgspec.Struct):
    id: Text


class ScopeWish(msgspec.Struct, rename={"trust": "OS-TRUST:trust"}):
    project: ProjectRef | Unset = UNSET
    domain: DomainRef | Unset = UNSET
    system: SystemRef | Unset = UNSET
    trust: TrustRef | Unset = UNSET
    unscoped: dict[str, str] | Unset = UNSET


class Auth(msgspec.Struct):
    """POST /auth/tokens."""

    __wrap__ = "auth"

    identity: Identity
    scope: ScopeWish | Literal["unscoped"] | None = None


class AssertionIdentity(msgspec.Struct):
    token: TokenMethod
    methods: tuple[str, ...] = ("token",)


class ServiceProviderRef(msgspec.Struct):
    id: Text


class AssertionScope(msgspec.Struct):
    service_provider: ServiceProviderRef


class AssertionWish(msgspec.Struct):
    """POST /auth/OS-FEDERATION/saml2."""

    __wrap__ = "auth"

    identity: AssertionIdentity
    scope: AssertionScope


class TokenQuery(Query):
    nocatalog: str | Unset = UNSET
    allow_expired: str | Unset = UNSET
