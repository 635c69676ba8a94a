"""Tokens: their claims come back as they were, and what changes is seen at once."""

import base64
import json
import string
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pileus.core.certificates import thumbprint
from pileus.core.config import Settings
from pileus.core.db import Database, Tx
from pileus.core.errors import Unauthorized
from pileus.services.identity import passwords
from pileus.services.identity.bootstrap import bootstrap
from pileus.services.identity.rules import login, packing, tokens
from pileus.services.identity.rules.access_rules import permission
from pileus.services.identity.rules.totp import codes
from pileus.services.identity.store import endpoint_filter, federation, projects, rows, users
from pileus.services.identity.store import tokens as store
from pileus.services.identity.types.credentials import AccessRuleRow
from pileus.services.identity.types.federation import IdentityProviderRow, Membership, ServiceProviderRow
from pileus.services.identity.types.projects import DomainRow
from pileus.services.identity.types.tokens import (
    Auth,
    Claims,
    DomainRef,
    Federation,
    Identity,
    PasswordMethod,
    PasswordUser,
    ProjectRef,
    ScopeWish,
)
from pileus.services.identity.types.users import GroupRow
from tests.support.postgres import DATABASES, new_url

ids = st.one_of(
    st.text("0123456789abcdef", min_size=32, max_size=32),
    st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=64),
)
audit_ids = st.binary(min_size=16, max_size=16).map(lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("="))
stamps = st.integers(0, 1 << 53)
claims = st.builds(
    Claims,
    user_id=ids,
    methods=st.lists(st.sampled_from(packing.METHODS), min_size=1, max_size=3, unique=True).map(tuple),
    scope=st.sampled_from(packing.SCOPES),
    scope_id=st.none() | ids,
    issued_at=stamps,
    expires_at=stamps,
    audit_ids=st.lists(audit_ids, min_size=1, max_size=2).map(tuple),
    trust_id=st.none() | ids,
    application_credential_id=st.none() | ids,
    federation=st.none() | st.builds(Federation, ids, ids, st.lists(ids, max_size=3).map(tuple)),
    access_token_id=st.none() | ids,
    certificate=st.none() | st.binary(min_size=32, max_size=32).map(thumbprint),
)


@given(claims)
def test_claims_come_back(given: Claims) -> None:
    assert packing.unpacked(packing.packed(given)) == given


@given(stamps)
def test_times_come_back(stamp: int) -> None:
    assert tokens.stamp_of(tokens.time_of(stamp)) == stamp


@pytest.fixture(params=DATABASES)
def db(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    found = Database(new_url(request.param, tmp_path))
    found.create_tables()
    with found.write() as tx:
        bootstrap(tx, Settings(), "secret", [("keystone", "identity", "http://cloud/identity")])
    yield found
    found.close()


def log_in(db: Database, life: timedelta = timedelta(hours=1)) -> str:
    user = PasswordUser(name="admin", domain=DomainRef(id="default"), password="secret")
    given = Auth(Identity(["password"], password=PasswordMethod(user)))
    return login.log_in(db, Settings(token_hours=life / timedelta(hours=1)), given, True)[0]


def test_first_rows_twice_change_nothing(db: Database) -> None:
    token = log_in(db)
    with db.write() as tx:
        bootstrap(tx, Settings(), "secret", [("keystone", "identity", "http://cloud/identity")])
    with db.read() as tx:
        assert tokens.authenticate(tx, token, None).user_name == "admin"


def test_another_password_at_the_start_ends_the_tokens(db: Database) -> None:
    token = log_in(db)
    with db.write() as tx:
        bootstrap(tx, Settings(), "another", [])
    with db.read() as tx, pytest.raises(Unauthorized):
        tokens.authenticate(tx, token, None)


def test_a_change_by_another_process_is_seen_at_once(db: Database) -> None:
    token = log_in(db)
    with db.read() as tx:
        tokens.authenticate(tx, token, None)
    other = Database(db.url)
    with other.write() as tx:
        admin = users.by_name(tx, "default", "admin")
        assert admin is not None
        rows.update(tx, admin, {"enabled": False})
    other.close()
    with db.read() as tx, pytest.raises(Unauthorized):
        tokens.authenticate(tx, token, None)


def test_tokens_outlive_a_change_of_keys_and_end_with_their_key(db: Database) -> None:
    token = log_in(db)
    with db.write() as tx:
        tokens.rotate_keys(tx, Settings())
    with db.read() as tx:
        assert tokens.authenticate(tx, token, None)
    with db.write() as tx:
        store.drop_keys_before(tx, 2)
    with db.read() as tx, pytest.raises(Unauthorized):
        tokens.authenticate(tx, token, None)


def test_a_service_goes_on_with_a_token_that_has_just_ended(db: Database) -> None:
    token = log_in(db, timedelta(seconds=-1))
    with db.read() as tx:
        with pytest.raises(Unauthorized):
            tokens.authenticate(tx, token, None)
        with pytest.raises(Unauthorized):
            tokens.authenticate(tx, token, token)
        assert tokens.session_of(tx, token, allow_expired=True)


@given(text=st.text(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nonsense_is_no_token(db: Database, text: str) -> None:
    with db.read() as tx, pytest.raises(Unauthorized):
        tokens.session_of(tx, text)


def test_a_hash_is_compared_even_where_there_is_none() -> None:
    assert passwords.verify(passwords.hashed("a"), "a")
    assert not passwords.verify(passwords.hashed("a"), "b")
    assert not passwords.verify(None, "a")
    assert not passwords.verify("no hash", "a")
    assert passwords.verify(passwords.hashed_random("a"), "a")
    assert not passwords.verify(passwords.hashed_random("a"), "b")


def test_access_rules_know_wildcards() -> None:
    def rule(path: str) -> AccessRuleRow:
        return AccessRuleRow("r", "u", "compute", path, "GET")

    assert permission([rule("/v2.1/servers/*/ips")])("compute", "GET", "/v2.1/servers/a/ips")
    assert permission([rule("/v2.1/servers/{server_id}")])("compute", "GET", "/v2.1/servers/a")
    assert permission([rule("/v2.1/**")])("compute", "GET", "/v2.1/servers/a/ips")
    assert not permission([rule("/v2.1/servers/*")])("compute", "GET", "/v2.1/servers/a/ips")
    assert not permission([rule("/v2.1/servers")])("compute", "POST", "/v2.1/servers")
    assert not permission([rule("/v2.1/servers")])("image", "GET", "/v2.1/servers")
    assert not permission([])("compute", "GET", "/")


def test_one_time_passwords_are_those_of_rfc_6238() -> None:
    """Appendix B, its last six digits."""
    secret = base64.b32encode(b"12345678901234567890").decode()
    assert codes(secret, 59)[0] == "287082"
    assert codes(secret, 1111111109)[0] == "081804"
    assert codes(secret, 59 + 30)[1] == "287082"
    assert codes("not base32!", 59) == []


def shown(db: Database) -> Any:
    """What the administrator's new token for the first project shows."""
    user = PasswordUser(name="admin", domain=DomainRef(name="Default"), password="secret")
    scope = ScopeWish(project=ProjectRef(name="admin", domain=DomainRef(id="default")))
    given = Auth(Identity(["password"], password=PasswordMethod(user)), scope)
    return json.loads(login.log_in(db, Settings(), given, True)[1])["token"]


def test_what_sign_ons_share_is_seen_by_the_next_as_another_process_changed_it(db: Database) -> None:
    before = shown(db)
    assert len(before["catalog"][0]["endpoints"]) == 3
    other = Database(db.url)

    def change(act: Callable[[Tx], object]) -> None:
        with other.write() as tx:
            act(tx)

    def domain(tx: Tx) -> DomainRow:
        found = projects.domain(tx, "default")
        assert found is not None
        return found

    change(lambda tx: rows.update(tx, domain(tx), {"enabled": False}))
    with pytest.raises(Unauthorized):
        shown(db)
    change(lambda tx: rows.update(tx, domain(tx), {"enabled": True, "name": "Other"}))
    with pytest.raises(Unauthorized):
        shown(db)
    change(lambda tx: rows.update(tx, domain(tx), {"name": "Default"}))
    endpoint = before["catalog"][0]["endpoints"][0]["id"]
    change(lambda tx: endpoint_filter.tie(tx, "endpoint_id", endpoint, before["project"]["id"]))
    assert [each["id"] for each in shown(db)["catalog"][0]["endpoints"]] == [endpoint]
    change(lambda tx: endpoint_filter.untie(tx, "endpoint_id", endpoint, before["project"]["id"]))
    sister = ServiceProviderRow("sister", "http://sister/auth", "http://sister/sp", True, None, "ss:mem:")
    change(lambda tx: rows.insert(tx, sister))
    after = shown(db)
    assert [each["id"] for each in after["service_providers"]] == ["sister"]
    assert after["catalog"] == before["catalog"]
    other.close()


def test_a_token_ends_with_the_first_membership_that_lasts_for_a_time(db: Database) -> None:
    token = log_in(db)
    with db.read() as tx:
        assert tokens.session_of(tx, token).until is None
    with db.write() as tx:
        admin = users.by_name(tx, "default", "admin")
        assert admin is not None
        rows.insert(tx, GroupRow("group", "g", "default", "", {}))
        rows.insert(tx, IdentityProviderRow("idp", "default", True, None, 60))
        federation.keep_membership(tx, Membership(admin.id, "group", "idp", tx.now, tx.now + timedelta(hours=1)))
    with db.read() as tx:
        until = tokens.session_of(tx, token).until
        assert until is not None
        assert until > tx.now
