"""Somebody for whom an identity provider vouches: who they are here, and what they get."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

import msgspec
import structlog

from pileus.core import body as bodies
from pileus.core import events
from pileus.core.config import Settings
from pileus.core.context import Caller
from pileus.core.db import Database, Tx, new_hex_id
from pileus.core.errors import Conflict, Forbidden, Unauthorized
from pileus.core.version import FIRST
from pileus.services.identity.rules import federation, login, mapping, resources, tokens
from pileus.services.identity.rules import projects as project_rules
from pileus.services.identity.rules.domain_config import options_of
from pileus.services.identity.rules.mapping import Assertion
from pileus.services.identity.store import assignments, projects, rows, users
from pileus.services.identity.store import federation as store
from pileus.services.identity.types.domain_config import driver_of
from pileus.services.identity.types.federation import IdentityProviderRow, MappingRow, Membership, ProtocolRow
from pileus.services.identity.types.mappings import Mapped, MappedDomain, MappedGroup, MappedProject, MappedUser
from pileus.services.identity.types.projects import DomainRow, ProjectCreate, ProjectRow
from pileus.services.identity.types.roles import Assignment, RoleRow
from pileus.services.identity.types.tokens import Federation
from pileus.services.identity.types.users import GroupRow, UserRow

log = structlog.get_logger("pileus.identity")
MAX_GROUPS = 100
"""Of one arrival: its tokens carry them, and must fit into a header and a cookie."""


class Vouched(msgspec.Struct):
    """What an identity provider said, after it was verified that it said so."""

    issuer: str
    attributes: Assertion


def arrive(
    db: Database, settings: Settings, caller: Caller, provider_id: str, protocol_name: str, vouched: Vouched
) -> tuple[str, bytes]:
    """An unscoped token and its document. Raises Unauthorized, Forbidden, NotFound (no such provider or protocol)."""
    with db.read() as tx:
        protocol = federation.found_protocol(tx, provider_id, protocol_name)
        provider = resources.find(tx, IdentityProviderRow, provider_id)
        _must_be_believed(tx, provider, protocol, vouched)
        rules = resources.find(tx, MappingRow, protocol.mapping_id)
    mapped = mapping.apply(mapping.read(rules.rules), vouched.attributes, rules.schema_version)
    user: UserRow
    vouching: Federation | None = None
    if mapped.user.is_local:
        with db.read() as tx:
            user = _local_user(tx, mapped.user)
    else:
        try:
            with db.write() as tx:
                user, vouching = _settled(tx, settings, caller, provider, protocol, mapped)
        except Conflict:
            # the same user may have come twice at once, for the first time
            with db.write() as tx:
                user, vouching = _settled(tx, settings, caller, provider, protocol, mapped)
    method = protocol.name if protocol.name in tokens.FEDERATED else "mapped"
    return login.vouched_for(db, settings, user, method, vouching)


def _must_be_believed(tx: Tx, provider: IdentityProviderRow, protocol: ProtocolRow, vouched: Vouched) -> None:
    """Raises Forbidden for a provider that is disabled, or one that is not the one that it was registered as."""
    if not provider.enabled:
        raise Forbidden(f"Identity provider {provider.id} is disabled.")
    remote_ids = store.remote_ids_of(tx, [provider.id])[provider.id]
    named = vouched.attributes.get(protocol.remote_id_attribute, ()) if protocol.remote_id_attribute else ()
    known_as = named or [vouched.issuer]
    if (remote_ids or protocol.remote_id_attribute) and not set(known_as) & set(remote_ids):
        raise Forbidden(f"'{known_as[0][:255]}' is not a remote id of identity provider {provider.id}.")


def _local_user(tx: Tx, wanted: MappedUser) -> UserRow:
    """Raises Unauthorized."""
    found: UserRow | None = None
    if wanted.given_id is not None:
        found = rows.find(tx, UserRow, wanted.given_id)
    elif wanted.domain is not None:
        domain = _domain(tx, wanted.domain)
        found = users.by_name(tx, domain.id, wanted.name) if domain else None
    if found is None:
        raise Unauthorized(login.REFUSED)
    return found


def _settled(
    tx: Tx, settings: Settings, caller: Caller, provider: IdentityProviderRow, protocol: ProtocolRow, mapped: Mapped
) -> tuple[UserRow, Federation]:
    """The user, made or brought up to date, with what the mapping gives them."""
    user = _user(tx, caller, provider, protocol, mapped.user)
    group_ids = _group_ids(tx, provider, mapped.groups)
    _renew_memberships(tx, user, provider, group_ids)
    for wanted in mapped.projects:
        _give_project(tx, settings, caller, provider, user, wanted)
    return user, Federation(provider.id, protocol.name, group_ids)


def _user(tx: Tx, caller: Caller, provider: IdentityProviderRow, protocol: ProtocolRow, mapped: MappedUser) -> UserRow:
    """Raises Unauthorized for what can be nobody's name, Conflict for a name that is another user's."""
    if max(len(mapped.unique_id), len(mapped.name)) > 255:
        raise Unauthorized(f"The mapping makes a user's name of more than 255 characters: '{mapped.name[:64]}'.")
    extra = {"email": mapped.email} if mapped.email is not None else {}
    user_id = store.user_of(tx, protocol.id, mapped.unique_id)
    known = rows.find(tx, UserRow, user_id) if user_id else None
    if known is not None:
        values = {"name": mapped.name, "extra": known.extra | extra}
        changed = {name: value for name, value in values.items() if getattr(known, name) != value}
        return resources.change(tx, caller, known, changed, _TAKEN) if changed else known
    domain = _must_be_there(tx, mapped.domain) if mapped.domain else projects.domain(tx, provider.domain_id)
    assert domain is not None
    if driver_of(options_of(tx, domain.id)) != "sql":
        raise Unauthorized(
            f"Users of domain {domain.name} are in a directory: the mapping must name them as users of type 'local'."
        )
    user_id = new_hex_id()
    row = UserRow(user_id, mapped.name, domain.id, True, None, None, None, None, {}, extra, last_active_at=tx.now)
    resources.add(tx, caller, row, _TAKEN)
    store.link(tx, protocol.id, mapped.unique_id, user_id)
    return row


_TAKEN = (
    "There is a user '{name}' in this domain who does not come by this protocol of this identity provider: "
    "give the provider a domain of its own, or list the protocol in that user's 'federated'."
)


def _domain(tx: Tx, wanted: MappedDomain) -> DomainRow | None:
    return projects.domain(tx, wanted.id) if wanted.id else projects.domain_by_name(tx, wanted.name or "")


def _must_be_there(tx: Tx, wanted: MappedDomain) -> DomainRow:
    domain = _domain(tx, wanted)
    if domain is None:
        raise Unauthorized(f"The mapping names domain '{str(wanted.id or wanted.name)[:64]}', which is not there.")
    return domain


def _group_ids(tx: Tx, provider: IdentityProviderRow, wanted: Iterable[MappedGroup]) -> tuple[str, ...]:
    """Of those that are there; the others give nothing, and the log says so."""
    found: dict[str, None] = {}
    for one in wanted:
        group = _group(tx, provider, one)
        if group is None:
            log.warning("a mapping names a group that is not there", group=one.id or one.name, provider=provider.id)
        else:
            found[group.id] = None
    if len(found) > MAX_GROUPS:
        raise Unauthorized(f"The mapping makes the user a member of {len(found)} groups; the limit is {MAX_GROUPS}.")
    return tuple(found)


def _group(tx: Tx, provider: IdentityProviderRow, wanted: MappedGroup) -> GroupRow | None:
    if wanted.id is not None:
        return rows.find(tx, GroupRow, wanted.id)
    domain = _domain(tx, wanted.domain) if wanted.domain else projects.domain(tx, provider.domain_id)
    named = rows.where(tx, GroupRow, domain_id=domain.id, name=wanted.name) if domain else []
    return named[0] if named else None


def _renew_memberships(tx: Tx, user: UserRow, provider: IdentityProviderRow, group_ids: Sequence[str]) -> None:
    """What the provider says again lasts anew; what it says no more ends."""
    known = {membership.group_id for membership in store.memberships_of(tx, user.id, provider.id)}
    if known - set(group_ids):
        store.end_memberships(tx, user.id, provider.id, known - set(group_ids))
    if not provider.authorization_ttl:
        return
    if set(group_ids) - known:
        rows.touch(tx)
    ends = tx.now + timedelta(minutes=provider.authorization_ttl)
    for group_id in group_ids:
        store.keep_membership(tx, Membership(user.id, group_id, provider.id, tx.now, ends))


def _give_project(
    tx: Tx, settings: Settings, caller: Caller, provider: IdentityProviderRow, user: UserRow, wanted: MappedProject
) -> None:
    """Made where it is missing, with the roles on it. Raises Unauthorized for a role that is not there."""
    domain_id = _must_be_there(tx, wanted.domain).id if wanted.domain else provider.domain_id
    project = projects.by_name(tx, domain_id, wanted.name) or _new_project(tx, settings, caller, domain_id, wanted.name)
    for name in wanted.roles:
        assignment = Assignment("user", user.id, "project", project.id, _role(tx, domain_id, name).id)
        exactly = {field: getattr(assignment, field) for field in assignment.__struct_fields__}
        if not assignments.listing(tx, *assignments.matching(**exactly)):
            assignments.add(tx, assignment)
            events.record(tx, caller, "identity", "create", "role_assignment", project.id, **exactly)


def _new_project(tx: Tx, settings: Settings, caller: Caller, domain_id: str, name: str) -> ProjectRow:
    wish: ProjectCreate = bodies.convert(
        {"name": name, "domain_id": domain_id}, ProjectCreate, FIRST, "identity", "project"
    )
    return project_rules.create_project(tx, settings, caller, wish)


def _role(tx: Tx, domain_id: str, name: str) -> RoleRow:
    for where in (None, domain_id):
        for role in rows.where(tx, RoleRow, name=name, domain_id=where):
            return role
    raise Unauthorized(f"The mapping names role '{name[:64]}', which is not there.")
