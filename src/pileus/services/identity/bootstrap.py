"""The first rows of a cloud: its first domain, project, administrator, roles and catalog."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from pileus.core.config import Settings
from pileus.core.db import Tx, new_hex_id
from pileus.services.identity import passwords
from pileus.services.identity.rules import authorities, sealing, tokens
from pileus.services.identity.store import assignments, projects, rows, users
from pileus.services.identity.store import tokens as token_store
from pileus.services.identity.types.catalog import EndpointRow, RegionRow, ServiceRow
from pileus.services.identity.types.projects import ProjectRow
from pileus.services.identity.types.roles import Assignment, RoleRow
from pileus.services.identity.types.users import UserRow

DEFAULT_DOMAIN = "default"
CHAIN = ("admin", "manager", "member", "reader")
"""Each role implies the next."""
INTERFACES = ("public", "internal", "admin")
EXEMPT = (
    "ignore_change_password_upon_first_use",
    "ignore_password_expiry",
    "ignore_lockout_failure_attempts",
    "ignore_user_inactivity",
)
"""Options of the first administrator, whose long random password stands in a file that programs use."""


def bootstrap(tx: Tx, settings: Settings, password: str, services: Sequence[tuple[str, str, str]]) -> str:
    """Make what is missing; `services` are (name, type, URL). What is there stays, but for URLs and the admin's password.

    Returns the id of the first project.
    """
    if not rows.mark(tx):
        rows.touch(tx)
    if not token_store.keys(tx):
        tokens.rotate_keys(tx, settings)
    authorities.take_over(tx, settings)
    while not sealing.tidy(tx, settings):
        """What was kept before there were seals."""
    if projects.domain(tx, DEFAULT_DOMAIN) is None:
        _insert_project(tx, DEFAULT_DOMAIN, "Default", None, "The default domain")
    roles = {name: _role(tx, name) for name in (*CHAIN, "service")}
    for prior, implied in pairwise(CHAIN):
        assignments.imply(tx, roles[prior], roles[implied])
    project_id = _project(tx, "admin", "The first project")
    user_id = _user(tx, "admin", password)
    for target_type, target_id in (("project", project_id), ("system", "all")):
        assignments.add(tx, Assignment("user", user_id, target_type, target_id, roles["admin"]))  # type: ignore[arg-type]
    _catalog(tx, settings.region, services)
    return project_id


def _insert_project(tx: Tx, project_id: str, name: str, domain_id: str | None, description: str) -> None:
    rows.insert(tx, ProjectRow(project_id, name, domain_id, domain_id, domain_id is None, True, description, {}, {}))


def _project(tx: Tx, name: str, description: str) -> str:
    found = projects.by_name(tx, DEFAULT_DOMAIN, name)
    if found is not None:
        return found.id
    project_id = new_hex_id()
    _insert_project(tx, project_id, name, DEFAULT_DOMAIN, description)
    return project_id


def _role(tx: Tx, name: str) -> str:
    known = rows.where(tx, RoleRow, name=name, domain_id=None)
    if known:
        return known[0].id
    role = RoleRow(new_hex_id(), name, None, None, {"immutable": True}, {})
    rows.insert(tx, role)
    return role.id


def _user(tx: Tx, name: str, password: str) -> str:
    """The user, with that password."""
    found = users.by_name(tx, DEFAULT_DOMAIN, name)
    if found is None:
        user_id = new_hex_id()
        hashed = passwords.hashed(password)
        options = dict.fromkeys(EXEMPT, True)
        rows.insert(tx, UserRow(user_id, name, DEFAULT_DOMAIN, True, None, hashed, None, None, options, {}))
        return user_id
    if not passwords.verify(found.password_hash, password):
        rows.update(tx, found, {"password_hash": passwords.hashed(password), "tokens_valid_after": tx.now})
    return found.id


def _catalog(tx: Tx, region: str, services: Sequence[tuple[str, str, str]]) -> None:
    if rows.find(tx, RegionRow, region) is None:
        rows.insert(tx, RegionRow(region, "", None, {}))
    for name, kind, url in services:
        known = rows.where(tx, ServiceRow, type=kind, name=name)
        service = known[0] if known else ServiceRow(new_hex_id(), kind, name, None, True, {})
        if not known:
            rows.insert(tx, service)
        for interface in INTERFACES:
            _endpoint(tx, service.id, region, interface, url)


def _endpoint(tx: Tx, service_id: str, region: str, interface: str, url: str) -> None:
    wanted: dict[str, Any] = {"service_id": service_id, "region_id": region, "interface": interface}
    known = rows.where(tx, EndpointRow, **wanted)
    if not known:
        rows.insert(tx, EndpointRow(new_hex_id(), interface, region, service_id, url, True, {}))
    elif known[0].url != url:
        rows.update(tx, known[0], {"url": url})
