"""The caller of a request: who, in which scope, with which roles, at which API version."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

from pileus.core.version import FIRST, Version


class Caller(msgspec.Struct, dict=True, kw_only=True):
    """A user in a scope, as a token says it. One of project, domain, system scope is set, or none (unscoped)."""

    user_id: str
    user_name: str = ""
    user_domain_id: str = ""
    project_id: str | None = None
    project_name: str | None = None
    project_domain_id: str | None = None
    domain_id: str | None = None
    domain_name: str | None = None
    system: bool = False
    roles: frozenset[str] = frozenset()
    role_ids: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    audit_ids: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()
    """Groups that the token itself puts its user in, as an identity provider said."""
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    trust_id: str | None = None
    trustor_id: str | None = None
    trustee_id: str | None = None
    application_credential_id: str | None = None
    access_token_id: str | None = None
    certificate: str | None = None
    """Thumbprint of the client certificate without which the token is worth nothing."""
    unrestricted: bool = True
    permits: Callable[[str, str, str], bool] | None = None
    """(service, method, path below the service's root) -> whether the token's access rules let it; None: no such rules."""
    request_id: str = ""
    global_request_id: str | None = None
    version: Version = FIRST
    judge: Callable[[str, Caller, Mapping[str, Any] | None], bool] = lambda *_: False
    """The policy of the service that is asked, set by dispatch."""

    def allows(self, rule: str, target: Mapping[str, Any] | None = None) -> bool:
        """Whether the policy lets this caller do `rule` (to what is its own, where no target is given)."""
        return self.judge(rule, self, target)

    @cached_property
    def credentials(self) -> Mapping[str, Any]:
        """What policy rules compare: the names that oslo.policy's checks use."""
        return {
            "user_id": self.user_id,
            "user_domain_id": self.user_domain_id,
            "project_id": self.project_id,
            "tenant_id": self.project_id,
            "project_domain_id": self.project_domain_id,
            "domain_id": self.domain_id,
            "token.domain.id": self.domain_id,
            "token.project.domain.id": self.project_domain_id,
            "system_scope": "all" if self.system else None,
            "system": "all" if self.system else None,
            "roles": sorted(self.roles),
            "trust_id": self.trust_id,
            "trust.trustor_id": self.trustor_id,
            "trust.trustee_id": self.trustee_id,
        }

    @property
    def scope(self) -> str:
        """'system', 'domain', 'project' or 'unscoped'."""
        if self.system:
            return "system"
        if self.domain_id:
            return "domain"
        return "project" if self.project_id else "unscoped"

    @property
    def delegated(self) -> bool:
        """Whether the token is one that somebody was given to act for another, or for a part of what its user may do."""
        return bool(self.trust_id or self.application_credential_id or self.access_token_id)

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles

    def at(self, request_id: str, global_request_id: str | None, version: Version) -> Caller:
        """This caller in one request."""
        here = copy.copy(self)
        here.request_id, here.global_request_id, here.version = request_id, global_request_id, version
        return here


def system_caller(request_id: str = "") -> Caller:
    """Pileus itself, for work that no request asked for."""
    return Caller(user_id="pileus", user_name="pileus", system=True, roles=frozenset({"admin"}), request_id=request_id)
