"""Users for whom identity providers vouch: made, found again, given groups that end, and refused."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pileus.core.config import Settings
from pileus.core.context import system_caller
from pileus.core.db import Database, now
from pileus.core.errors import Conflict, Forbidden, NotFound, Unauthorized
from pileus.services.identity import tables
from pileus.services.identity.bootstrap import bootstrap
from pileus.services.identity.rules import arrivals, assignments, federation, role_assignments, tokens
from pileus.services.identity.rules import users as user_rules
from pileus.services.identity.rules.arrivals import Vouched
from pileus.services.identity.store import assignments as assignment_store
from pileus.services.identity.store import federation as store
from pileus.services.identity.store import projects, rows, users
from pileus.services.identity.types.federation import (
    IdentityProviderCreate,
    IdentityProviderRow,
    IdentityProviderUpdate,
    MappingRow,
    MappingWish,
    ProtocolCreate,
)
from pileus.services.identity.types.projects import ProjectRow
from pileus.services.identity.types.roles import Assignment, RoleRow
from pileus.services.identity.types.users import Federated, FederatedProtocol, GroupRow, UserRow, UserUpdate
from tests.support.postgres import DATABASES, new_url

ME = system_caller()
RULES: list[dict[str, Any]] = [
    {
        "local": [{"user": {"name": "{0}", "id": "{1}"}}, {"groups": "{2}", "domain": {"id": "default"}}],
        "remote": [{"type": "name"}, {"type": "sub"}, {"type": "groups"}],
    }
]


class World:
    """A cloud that believes one identity provider; groups g1, g2 are members of projects p1, p2."""

    def __init__(self, db: Database, state_dir: Path) -> None:
        self.db, self.settings = db, Settings(state_dir=state_dir)
        with db.write() as tx:
            bootstrap(tx, self.settings, "secret", [("keystone", "identity", "http://cloud/identity")])
            self.provider = federation.create_provider(tx, ME, "acme", IdentityProviderCreate(enabled=True))
            federation.create_mapping(tx, ME, "people", MappingWish(rules=RULES))
            for name in ("openid", "saml2"):
                federation.create_protocol(tx, ME, self.provider, name, ProtocolCreate(mapping_id="people"))
            role = rows.where(tx, RoleRow, name="member")[0]
            for number in ("1", "2"):
                rows.insert(tx, GroupRow(f"g{number}", f"group{number}", "default", "", {}))
                rows.insert(tx, ProjectRow(f"p{number}", f"p{number}", "default", "default", False, True, "", {}, {}))
                assignment_store.add(tx, Assignment("group", f"g{number}", "project", f"p{number}", role.id))

    def arrive(self, name: str = "dana", groups: tuple[str, ...] = ("group1",), **more: Any) -> tokens.Session:
        protocol = more.pop("protocol", "openid")
        said = {"name": [name], "sub": [more.pop("sub", name)], "groups": list(groups) or ["none"], **more}
        vouched = Vouched("https://acme", said)
        text, _ = arrivals.arrive(self.db, self.settings, ME, "acme", protocol, vouched)
        with self.db.read() as tx:
            return tokens.session_of(tx, text)

    def rules(self, *raw: dict[str, Any], version: str | None = None) -> None:
        with self.db.write() as tx:
            wish = MappingWish(rules=list(raw), schema_version=version)  # type: ignore[arg-type]
            federation.update_mapping(tx, ME, rows.where(tx, MappingRow)[0], wish)

    def ttl(self, minutes: int | None) -> None:
        with self.db.write() as tx:
            provider = rows.where(tx, IdentityProviderRow)[0]
            federation.update_provider(tx, ME, provider, IdentityProviderUpdate(authorization_ttl=minutes))

    def lasting(self, user_id: str) -> list[str]:
        """Projects by what does not stand in a token."""
        with self.db.read() as tx:
            return [row.id for row in assignments.projects_of(tx, user_id)]

    def mark(self) -> str:
        with self.db.read() as tx:
            return rows.mark(tx)


@pytest.fixture(params=DATABASES)
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    db = Database(new_url(request.param, tmp_path))
    db.create_tables()
    yield World(db, tmp_path)
    db.close()


def test_groups_of_a_token_end_with_it(world: World) -> None:
    session = world.arrive(groups=("group1", "nowhere"))
    assert session.user.name == "dana"
    assert session.user.domain_id == world.provider.domain_id
    assert session.caller.group_ids == ("g1",)
    assert session.claims.methods == ("openid",)
    assert world.lasting(session.user.id) == []
    with world.db.read() as tx:
        found = assignments.projects_of(tx, session.user.id, session.caller.group_ids)
    assert [row.id for row in found] == ["p1"]


def test_who_comes_again_is_the_same_and_changes_nothing(world: World) -> None:
    first = world.arrive()
    mark = world.mark()
    assert world.arrive().user.id == first.user.id
    assert world.mark() == mark, "nobody's token must be computed anew"
    assert world.arrive("erin").user.id != first.user.id


def test_who_comes_many_times_at_once_is_one(world: World) -> None:
    local = {"user": {"name": "{0}"}, "projects": [{"name": "of {0}", "roles": [{"name": "member"}]}]}
    world.rules({"local": [local], "remote": [{"type": "name"}]})
    with ThreadPoolExecutor(8) as many:
        found = {session.user.id for session in many.map(lambda _: world.arrive(), range(8))}
    assert len(found) == 1


def test_a_new_name_is_taken_over(world: World) -> None:
    first = world.arrive("dana", sub="7")
    again = world.arrive("dana smith", sub="7")
    assert (again.user.id, again.user.name) == (first.user.id, "dana smith")


def test_a_name_of_somebody_else_is_not_shared(world: World) -> None:
    world.arrive("dana", sub="7")
    with pytest.raises(Conflict, match="'dana'"):
        world.arrive("dana", sub="8")
    with pytest.raises(Conflict, match="give the provider a domain of its own"):
        world.arrive("dana", sub="7", protocol="saml2")
    world.arrive("erin", sub="9")
    with pytest.raises(Conflict, match="'dana'"):
        world.arrive("dana", sub="9")


def test_an_administrator_ties_protocols_to_a_user(world: World) -> None:
    user = world.arrive("dana").user
    names = [FederatedProtocol(name, "dana") for name in ("openid", "saml2")]
    user_rules.update_user(world.db, world.settings, ME, user, UserUpdate(federated=[Federated("acme", names)]))
    assert world.arrive("dana", protocol="saml2").user.id == user.id
    with world.db.read() as tx:
        assert [link.protocol for link in store.links_of(tx, [user.id])[user.id]] == ["openid", "saml2"]


def test_memberships_that_end(world: World) -> None:
    world.ttl(60)
    session = world.arrive(groups=("group1", "group2"))
    user_id = session.user.id
    assert world.lasting(user_id) == ["p1", "p2"]
    assert session.until is not None
    assert timedelta(minutes=58) < session.until - now() <= timedelta(minutes=60)
    with world.db.read() as tx:
        effective = role_assignments.listing(tx, role_assignments.read({"effective": "", "user.id": user_id}))
        assert {one.assignment.target_id for one in effective} == {"p1", "p2"}
        assert users.is_member(tx, "g1", user_id)
    with world.db.write() as tx:
        c = tables.expiring_memberships.c
        tx.update(tables.expiring_memberships, c.group_id == "g1", {"expires_at": now() - timedelta(seconds=1)})
    assert world.lasting(user_id) == ["p2"]
    with world.db.read() as tx:
        effective = role_assignments.listing(tx, role_assignments.read({"effective": "", "user.id": user_id}))
        assert {one.assignment.target_id for one in effective} == {"p2"}
        assert not users.is_member(tx, "g1", user_id)
    with world.db.write() as tx:
        store.forget(tx)
    with world.db.read() as tx:
        assert tx.scalar(sa.select(sa.func.count()).select_from(tables.expiring_memberships)) == 1


def test_a_kept_meaning_ends_with_a_membership(world: World) -> None:
    """No write happens when a membership ends: who was computed with it must be computed again."""
    world.ttl(60)
    session = world.arrive(groups=("group1",))
    claims = tokens.Claims(
        user_id=session.user.id,
        methods=("mapped",),
        scope="project",
        scope_id="p1",
        issued_at=tokens.now_stamp(),
        expires_at=tokens.now_stamp() + 7200 * 10**6,
        audit_ids=(tokens.new_audit_id(),),
    )
    with world.db.read() as tx:
        text, scoped = tokens.issue(tx, claims)
        assert scoped.project is not None
        tx.now = now() + timedelta(minutes=59)
        assert tokens.session_of(tx, text).caller.roles == {"member", "reader"}
        tx.now = now() + timedelta(minutes=61)
        with pytest.raises(Unauthorized):
            tokens.session_of(tx, text)


def test_what_a_provider_says_no_more_ends_at_once(world: World) -> None:
    world.ttl(60)
    user_id = world.arrive(groups=("group1", "group2")).user.id
    mark = world.mark()
    world.arrive(groups=("group1", "group2"))
    assert world.mark() == mark, "a renewal changes the meaning of no token"
    world.arrive(groups=("group2",))
    assert world.mark() != mark
    assert world.lasting(user_id) == ["p2"]


def test_a_shorter_time_counts_for_those_who_are_here(world: World) -> None:
    world.ttl(60)
    user_id = world.arrive().user.id
    world.ttl(None)
    assert world.lasting(user_id) == []
    world.ttl(30)
    assert world.lasting(user_id) == ["p1"]


def test_with_a_protocol_go_those_who_came_by_it_alone(world: World) -> None:
    only, also, elsewhere = (world.arrive(name).user for name in ("only", "also", "elsewhere"))
    with world.db.write() as tx:
        rows.update(tx, also, {"password_hash": "x"})
        rows.update(tx, elsewhere, {"domain_id": "default"})
        federation.delete_protocol(tx, ME, federation.found_protocol(tx, "acme", "openid"))
    with world.db.read() as tx:
        assert rows.find(tx, UserRow, only.id) is None
        assert rows.find(tx, UserRow, also.id) is not None
        assert rows.find(tx, UserRow, elsewhere.id) is not None, "an administrator's"
    with pytest.raises(NotFound):
        world.arrive("only")


def test_projects_are_made_once(world: World) -> None:
    local = {
        "user": {"name": "{0}"},
        "projects": [{"name": "of {0}", "roles": [{"name": "member"}, {"name": "reader"}]}],
    }
    world.rules({"local": [local], "remote": [{"type": "name"}]})
    user = world.arrive().user
    mark = world.mark()
    world.arrive()
    assert world.mark() == mark
    with world.db.read() as tx:
        made = projects.by_name(tx, world.provider.domain_id, "of dana")
        assert made is not None
        found = assignments.effective_on_project(tx, user.id, projects.lineage(tx, made.id))
    assert {role.name for role in found} == {"member", "reader"}


@pytest.mark.parametrize(
    ("local", "version", "says"),
    [
        ({"user": {"name": "{0}"}, "projects": [{"name": "x", "roles": [{"name": "king"}]}]}, "1.0", "role 'king'"),
        ({"user": {"name": "{0}", "domain": {"id": "nowhere"}}}, "2.0", "domain 'nowhere'"),
        ({"user": {"id": "nobody", "type": "local"}}, "1.0", "not right"),
        ({"user": {"name": "x", "type": "local", "domain": {"id": "default"}}}, "1.0", "not right"),
        ({"user": {"name": "{0}" * 100}}, "1.0", "255 characters"),
    ],
)
def test_mappings_that_make_nobody(world: World, local: dict[str, Any], version: str, says: str) -> None:
    world.rules({"local": [local], "remote": [{"type": "name"}]}, version=version)
    with pytest.raises(Unauthorized, match=says):
        world.arrive()
    with world.db.read() as tx:
        assert rows.where(tx, UserRow, domain_id=world.provider.domain_id) == []
        assert rows.where(tx, ProjectRow, domain_id=world.provider.domain_id) == [], "and leave nothing behind"


def test_a_local_user_is_just_that(world: World) -> None:
    local = {"user": {"name": "{0}", "type": "local", "domain": {"name": "Default"}}}
    world.rules({"local": [local, {"group": {"id": "g1"}}], "remote": [{"type": "name"}]})
    session = world.arrive("admin")
    assert session.user.domain_id == "default"
    assert session.claims.federation is None
    assert session.caller.group_ids == ()


def test_a_local_user_must_still_prove_what_else_is_asked(world: World) -> None:
    """An identity provider's word is one factor."""
    local = {"user": {"name": "{0}", "type": "local", "domain": {"name": "Default"}}}
    world.rules({"local": [local], "remote": [{"type": "name"}]})
    with world.db.write() as tx:
        admin = users.by_name(tx, "default", "admin")
        assert admin is not None
        rows.update(tx, admin, {"options": {"multi_factor_auth_rules": [["openid", "totp"]]}})
    with pytest.raises(Unauthorized, match="required_auth_methods"):
        world.arrive("admin")


def test_who_is_disabled_stays_out(world: World) -> None:
    user = world.arrive().user
    with world.db.write() as tx:
        rows.update(tx, user, {"enabled": False})
    with pytest.raises(Unauthorized):
        world.arrive()
    with world.db.write() as tx:
        rows.update(tx, user, {"enabled": True})
        rows.update(tx, rows.where(tx, IdentityProviderRow)[0], {"enabled": False})
    with pytest.raises(Forbidden):
        world.arrive()


def test_the_attribute_that_names_the_provider(world: World) -> None:
    with world.db.write() as tx:
        store.set_remote_ids(tx, "acme", ["https://acme"])
    world.arrive()
    with world.db.write() as tx:
        protocol = federation.found_protocol(tx, "acme", "openid")
        rows.update(tx, protocol, {"remote_id_attribute": "entity"})
    world.arrive(entity=["https://acme"])
    with pytest.raises(Forbidden, match="https://other"):
        world.arrive(entity=["https://other"])


def test_too_many_groups(world: World) -> None:
    with world.db.write() as tx:
        for number in range(arrivals.MAX_GROUPS + 1):
            rows.insert(tx, GroupRow(f"m{number}", f"many{number}", "default", "", {}))
    many = tuple(f"many{number}" for number in range(arrivals.MAX_GROUPS + 1))
    with pytest.raises(Unauthorized, match="101 groups"):
        world.arrive(groups=many)
    assert len(world.arrive(groups=many[1:]).caller.group_ids) == arrivals.MAX_GROUPS
