"""The tree of domains and projects, and their tags."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from pileus.core.db import Tx, among
from pileus.services.identity.store import rows
from pileus.services.identity.store.kept import kept_for
from pileus.services.identity.tables import project_tags, projects
from pileus.services.identity.types.base import Pairs
from pileus.services.identity.types.projects import DomainRow, ProjectRow


def lineage(tx: Tx, project_id: str) -> list[ProjectRow]:
    """The project, its parents, and last the domain; empty where there is no such project."""
    found: list[ProjectRow] = []
    above: str | None = project_id
    while above is not None:
        is_domain = bool(found) and above == found[0].domain_id
        row = domain(tx, above) if is_domain else project(tx, above)
        if row is None:
            break
        found.append(row)
        above = row.parent_id
    return found


def descendants(tx: Tx, project_id: str) -> list[ProjectRow]:
    """All below, parents before children."""
    below = sa.select(*projects.c, sa.literal(1).label("depth")).where(projects.c.parent_id == project_id)
    tree = below.cte(recursive=True)
    tree = tree.union_all(
        sa.select(*projects.c, (tree.c.depth + 1).label("depth")).join(tree, projects.c.parent_id == tree.c.id)
    )
    columns = [tree.c[column.name] for column in projects.c]
    return tx.rows(ProjectRow, sa.select(*columns).order_by(tree.c.depth, tree.c.name))


_NAMED = sa.select(projects).where(projects.c.name == sa.bindparam("name"))
_IN_DOMAIN = _NAMED.where(projects.c.domain_id == sa.bindparam("domain_id"))
_DOMAIN_NAMED = _NAMED.where(projects.c.is_domain)
_TAGS = sa.select(project_tags).where(among(project_tags.c.project_id)).order_by(project_tags.c.name)


def by_name(tx: Tx, domain_id: str, name: str) -> ProjectRow | None:
    named = {"domain_id": domain_id, "name": name}
    return kept_for(tx, "projects by name", (domain_id, name), lambda: tx.row(ProjectRow, _IN_DOMAIN, named))


def domain_by_name(tx: Tx, name: str) -> DomainRow | None:
    return kept_for(tx, "domains by name", name, lambda: tx.row(DomainRow, _DOMAIN_NAMED, {"name": name}))


def project(tx: Tx, project_id: str) -> ProjectRow | None:
    return kept_for(tx, "projects", project_id, lambda: rows.find(tx, ProjectRow, project_id))


def domain(tx: Tx, domain_id: str) -> DomainRow | None:
    found = kept_for(tx, "domains", domain_id, lambda: rows.find(tx, DomainRow, domain_id))
    return found if found is not None and found.is_domain else None


def tags_of(tx: Tx, project_ids: Sequence[str]) -> dict[str, list[str]]:
    """Tags by project, sorted."""
    found: dict[str, list[str]] = {project_id: [] for project_id in project_ids}
    if not found:
        return found
    for project_id, name in tx.tuples(_TAGS, {"ids": list(found)}):
        found[project_id].append(name)
    return found


def set_tags(tx: Tx, project_id: str, names: Sequence[str]) -> None:
    rows.touch(tx)
    tx.delete(project_tags, project_tags.c.project_id == project_id)
    tx.insert_all(project_tags, [{"project_id": project_id, "name": name} for name in dict.fromkeys(names)])


def with_tags(pairs: Pairs) -> list[sa.ColumnElement[bool]]:
    """tags=a,b (all), tags-any, not-tags (not all), not-tags-any of a query."""
    found: list[sa.ColumnElement[bool]] = []
    for key, value in pairs:
        if key not in ("tags", "tags-any", "not-tags", "not-tags-any"):
            continue
        tests = [
            sa.exists().where((project_tags.c.project_id == projects.c.id) & (project_tags.c.name == name))
            for name in value.split(",")
        ]
        test = sa.or_(*tests) if key.endswith("any") else sa.and_(*tests)
        found.append(sa.not_(test) if key.startswith("not") else test)
    return found
