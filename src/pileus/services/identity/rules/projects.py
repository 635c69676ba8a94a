"""Domains and projects: a tree in which each has a name of its own in its domain."""

from __future__ import annotations

from typing import Any, TypeVar

from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Tx, new_hex_id
from pileus.core.errors import BadRequest, Conflict, Forbidden, NotFound
from pileus.services.identity.rules import resources
from pileus.services.identity.rules.assignments import found_domain
from pileus.services.identity.rules.targets import home_domain
from pileus.services.identity.store import assignments, credentials, rows, users
from pileus.services.identity.store import projects as store
from pileus.services.identity.types.projects import (
    DomainCreate,
    DomainRow,
    DomainUpdate,
    ProjectCreate,
    ProjectRow,
    ProjectUpdate,
)
from pileus.services.identity.types.roles import RoleRow
from pileus.services.identity.types.users import GroupRow, UserRow

P = TypeVar("P", bound=ProjectRow)
MAX_DEPTH = 5
"""Projects below a domain, in one line."""
MAX_TAGS = 80
_TAKEN = "The name '{name}' is taken in this domain."
_DOMAIN_TAKEN = "There is a domain of the name '{name}' already."


def _row(body: ProjectCreate | DomainCreate, row_id: str, domain_id: str | None, parent_id: str | None) -> ProjectRow:
    wishes = resources.wishes(body)
    kind = ProjectRow if isinstance(body, ProjectCreate) else DomainRow
    return kind(
        row_id,
        body.name,
        domain_id,
        parent_id,
        domain_id is None,
        body.enabled,
        body.description or "",
        wishes["options"],
        body.extra,
    )


def create_domain(tx: Tx, caller: Caller, body: DomainCreate) -> ProjectRow:
    """Raises Conflict for its name or its explicit id."""
    domain_id = body.explicit_domain_id or new_hex_id()
    if rows.find(tx, ProjectRow, domain_id) is not None:
        raise Conflict(f"The id {domain_id} is taken.")
    row = resources.add(tx, caller, _row(body, domain_id, None, None), _DOMAIN_TAKEN)
    store.set_tags(tx, row.id, body.tags)
    return row


def create_project(tx: Tx, settings: Settings, caller: Caller, body: ProjectCreate) -> ProjectRow:
    """Raises Conflict for its name, Forbidden for a parent that is disabled or too deep, BadRequest for a wrong domain."""
    if body.is_domain:
        return _create_acting_domain(tx, caller, body)
    domain_id, parent_id = _place(tx, settings, caller, body)
    row = resources.add(tx, caller, _row(body, new_hex_id(), domain_id, parent_id), _TAKEN)
    store.set_tags(tx, row.id, body.tags)
    return row


def _create_acting_domain(tx: Tx, caller: Caller, body: ProjectCreate) -> ProjectRow:
    if body.parent_id or body.domain_id:
        raise BadRequest("A project that is a domain has neither a parent nor a domain.")
    row = resources.add(tx, caller, _row(body, new_hex_id(), None, None), _DOMAIN_TAKEN)
    store.set_tags(tx, row.id, body.tags)
    return row


def _place(tx: Tx, settings: Settings, caller: Caller, body: ProjectCreate) -> tuple[str, str]:
    """Domain and parent of a new project."""
    if body.parent_id is None:
        domain = found_domain(tx, home_domain(caller, body.domain_id))
        return domain.id, domain.id
    line = store.lineage(tx, body.parent_id)
    if not line:
        raise NotFound(f"Could not find project: {body.parent_id}.")
    domain_id = line[-1].id
    if body.domain_id not in (None, domain_id):
        raise BadRequest(f"The parent {body.parent_id} is in domain {domain_id}, not in {body.domain_id}.")
    if not all(row.enabled for row in line):
        raise Forbidden(f"The parent {body.parent_id}, or one above it, is disabled.")
    deepest = MAX_DEPTH if settings.limit_model == "flat" else 1
    if len(line) > deepest:
        raise Forbidden(f"Projects can be {deepest} deep in a domain; {body.parent_id} is at that depth.")
    return domain_id, body.parent_id


def update_domain(tx: Tx, caller: Caller, domain: DomainRow, body: DomainUpdate) -> DomainRow:
    return _update(tx, caller, domain, resources.wishes(body, domain), _DOMAIN_TAKEN)


def update_project(tx: Tx, caller: Caller, project: ProjectRow, body: ProjectUpdate) -> ProjectRow:
    resources.same_or_unset(project, body, "domain_id", "parent_id", "is_domain")
    values = resources.wishes(body, project)
    if values.get("enabled") is True and not all(row.enabled for row in store.lineage(tx, project.id)[1:]):
        raise Forbidden(f"Project {project.id} can't be enabled below a disabled one.")
    if values.get("enabled") is False and any(row.enabled for row in _below(tx, project)):
        raise Forbidden(f"Project {project.id} has enabled projects below it; disable those first.")
    return _update(tx, caller, project, values, _TAKEN)


def _below(tx: Tx, project: ProjectRow) -> list[ProjectRow]:
    return [] if project.is_domain else store.descendants(tx, project.id)


def _update(tx: Tx, caller: Caller, row: P, values: dict[str, Any], taken: str) -> P:
    resources.must_be_mutable(row, values)
    tags = values.pop("tags", None)
    if "description" in values:
        values["description"] = values["description"] or ""
    if tags is not None:
        store.set_tags(tx, row.id, tags)
    return resources.change(tx, caller, row, values, taken)


def delete_project(tx: Tx, caller: Caller, project: ProjectRow) -> None:
    """With all that speaks for it. Raises Forbidden where there are projects below it."""
    if project.is_domain:
        delete_domain(tx, caller, found_domain(tx, project.id))
        return
    resources.must_be_mutable(project)
    if store.descendants(tx, project.id):
        raise Forbidden(f"Project {project.id} has projects below it; delete those first.")
    _erase(tx, caller, project)


def _erase(tx: Tx, caller: Caller, project: ProjectRow) -> None:
    kind = "domain" if project.is_domain else "project"
    assignments.forget(tx, target_type=kind, target_id=project.id)
    credentials.forget_project(tx, project.id)
    users.forget_default_project(tx, project.id)
    resources.remove(tx, caller, project)


def delete_domain(tx: Tx, caller: Caller, domain: DomainRow) -> None:
    """With all that is in it. Raises Forbidden while it is enabled."""
    resources.must_be_mutable(domain)
    if domain.enabled:
        raise Forbidden(f"Domain {domain.id} is enabled; disable it before you delete it with all that is in it.")
    for user in rows.where(tx, UserRow, domain_id=domain.id):
        assignments.forget(tx, actor_type="user", actor_id=user.id)
        resources.remove(tx, caller, user)
    for group in rows.where(tx, GroupRow, domain_id=domain.id):
        assignments.forget(tx, actor_type="group", actor_id=group.id)
        resources.remove(tx, caller, group)
    for role in rows.where(tx, RoleRow, domain_id=domain.id):
        resources.remove(tx, caller, role)
    for project in reversed(store.descendants(tx, domain.id)):
        _erase(tx, caller, project)
    _erase(tx, caller, domain)


def must_have_tag(tx: Tx, project: ProjectRow, name: str) -> None:
    if name not in store.tags_of(tx, [project.id])[project.id]:
        raise NotFound(f"Could not find project tag: {name}.")


def add_tag(tx: Tx, project: ProjectRow, name: str) -> None:
    """Raises BadRequest for more than 80 tags or one that is no tag."""
    resources.must_be_mutable(project)
    tags = store.tags_of(tx, [project.id])[project.id]
    if name in tags:
        return
    if len(tags) >= MAX_TAGS:
        raise BadRequest(f"Project {project.id} has {len(tags)} tags; the limit is {MAX_TAGS}.")
    if len(name) > 255 or "," in name:
        raise BadRequest(f"A tag has at most 255 characters and no comma; got '{name[:255]}'.")
    store.set_tags(tx, project.id, [*tags, name])


def remove_tag(tx: Tx, project: ProjectRow, name: str) -> None:
    resources.must_be_mutable(project)
    must_have_tag(tx, project, name)
    tags = store.tags_of(tx, [project.id])[project.id]
    store.set_tags(tx, project.id, [tag for tag in tags if tag != name])
