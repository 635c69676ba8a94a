"""What the operator asks of passwords and users: each option refuses, each user option exempts, nobody learns who is there."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import falcon.testing
import pytest
import sqlalchemy as sa

from pileus.core.body import parse_time
from pileus.core.config import Settings
from pileus.core.db import Database, now
from pileus.core.dispatch import App
from pileus.services.identity import tokens
from pileus.services.identity.api import api
from pileus.services.identity.bootstrap import bootstrap
from pileus.services.identity.rules import compliance
from pileus.services.identity.rules.totp import codes
from pileus.services.identity.store import rows
from pileus.services.identity.tables import users
from pileus.services.identity.types.users import UserRow
from tests.support.api import make_app

V3 = "/identity/v3"
JSON = dict[str, Any]


class Site:
    """Identity with an administrator, and Ann."""

    def __init__(self, app: App) -> None:
        self.app, self.http = app, falcon.testing.TestClient(app.asgi)
        self.admin = self.token("admin", "admin secret", scope={"system": {"all": True}})
        self.ann = str(self.make("ann", "first secret")["id"])

    def login(self, name: str, password: str | None = None, receipt: str = "", **more: Any) -> Any:
        """`password`, `passcode` or both, and `scope`."""
        user = {"name": name, "domain": {"id": "default"}}
        identity: JSON = {"methods": []}
        if password is not None:
            identity["methods"].append("password")
            identity["password"] = {"user": {**user, "password": password}}
        if "passcode" in more:
            identity["methods"].append("totp")
            identity["totp"] = {"user": {**user, "passcode": more.pop("passcode")}}
        headers = {"Openstack-Auth-Receipt": receipt} if receipt else {}
        return self.http.simulate_post(
            f"{V3}/auth/tokens", json={"auth": {"identity": identity, **more}}, headers=headers
        )

    def token(self, name: str, password: str, **more: Any) -> str:
        answer = self.login(name, password, **more)
        assert answer.status_code == 201, answer.text
        return str(answer.headers["x-subject-token"])

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return self.http.simulate_request(method, V3 + path, json=body, headers={"x-auth-token": self.admin})

    def make(self, name: str, password: str, **more: Any) -> JSON:
        answer = self.ask("POST", "/users", {"user": {"name": name, "password": password, **more}})
        assert answer.status_code == 201, answer.text
        return dict(answer.json["user"])

    def update(self, **values: Any) -> JSON:
        answer = self.ask("PATCH", f"/users/{self.ann}", {"user": values})
        assert answer.status_code == 200, answer.text
        return dict(answer.json["user"])

    def choose(self, old: str, new: str) -> Any:
        """Ann's own change; no token."""
        body = {"user": {"original_password": old, "password": new}}
        return self.http.simulate_post(f"{V3}/users/{self.ann}/password", json=body)

    def rewrite(self, **columns: Any) -> None:
        """As if time had passed."""
        with self.app.db.write() as tx:
            tx.update(users, users.c.id == self.ann, columns)
            rows.touch(tx)


@contextmanager
def site(**options: Any) -> Iterator[Site]:
    def prepare(db: Database) -> None:
        with db.write() as tx:
            bootstrap(tx, Settings(), "admin secret", [])

    app = make_app([api], prepare=prepare, authenticate=tokens.authenticate, **options)
    yield Site(app)
    app.pool.shutdown()
    app.db.close()


def test_a_weak_password_is_refused_in_the_operators_words() -> None:
    with site(password_regex="(?=.*[0-9 ]).{8,}$", password_regex_description="eight characters and a digit") as here:
        weak = here.ask("POST", "/users", {"user": {"name": "bob", "password": "short"}})
        assert weak.status_code == 400
        assert "eight characters and a digit" in weak.text
        assert here.ask("PATCH", f"/users/{here.ann}", {"user": {"password": "onlyletters"}}).status_code == 400
        assert here.choose("first secret", "onlyletters").status_code == 400
        assert here.choose("first secret", "letters 1").status_code == 204


def test_an_expired_password_is_good_for_its_change_alone() -> None:
    with site(password_expires_days=90) as here:
        shown = here.ask("GET", f"/users/{here.ann}").json["user"]["password_expires_at"]
        ends = parse_time(shown)
        assert now() + timedelta(days=89) < ends < now() + timedelta(days=91)
        here.rewrite(password_expires_at=now() - timedelta(seconds=1))
        listed = here.ask("GET", f"/users?password_expires_at=lt:{now():%Y-%m-%dT%H:%M:%SZ}").json["users"]
        assert [user["name"] for user in listed] == ["ann"]
        refused = here.login("ann", "first secret")
        assert refused.status_code == 401
        assert f"for user: {here.ann}." in refused.json["error"]["message"]
        assert here.login("ann", "wrong").json["error"]["message"] != refused.json["error"]["message"]
        assert here.choose("wrong", "second secret").status_code == 401
        assert here.choose("first secret", "second secret").status_code == 204
        assert here.login("ann", "second secret").status_code == 201
        here.rewrite(password_expires_at=now() - timedelta(seconds=1))
        here.update(options={"ignore_password_expiry": True})
        assert here.login("ann", "second secret").status_code == 201
        here.update(options={"ignore_password_expiry": None})
        assert here.login("ann", "second secret").status_code == 401


def test_a_password_that_an_administrator_set_is_changed_first() -> None:
    with site(change_password_upon_first_use=True) as here:
        assert here.login("ann", "first secret").status_code == 401
        assert here.choose("first secret", "second secret").status_code == 204
        assert here.login("ann", "second secret").status_code == 201
        here.update(password="third secret")
        assert here.login("ann", "third secret").status_code == 401
        here.update(password="third secret", options={"ignore_change_password_upon_first_use": True})
        assert here.login("ann", "third secret").status_code == 201


def test_the_last_passwords_are_not_taken_again_by_rotating_them_away() -> None:
    with site(unique_last_password_count=3, minimum_password_age=1) as here:
        assert here.choose("first secret", "second secret").status_code == 204
        soon = here.choose("second secret", "third secret")
        assert soon.status_code == 400
        assert "minimum_password_age" in soon.text
        for old, new in (("second secret", "third secret"), ("third secret", "first secret")):
            here.rewrite(password_chosen_at=now() - timedelta(days=2))
            answer = here.choose(old, new)
        assert answer.status_code == 400
        assert "differ from the last 3" in answer.text
        assert here.choose("third secret", "fourth secret").status_code == 204
        here.rewrite(password_chosen_at=now() - timedelta(days=2))
        assert here.choose("fourth secret", "first secret").status_code == 204
        here.update(password="first secret")
        assert here.choose("first secret", "fifth secret").status_code == 204, "an administrator's password has no age"


def test_a_locked_password_is_the_administrators() -> None:
    with site() as here:
        here.update(options={"lock_password": True})
        assert here.choose("first secret", "second secret").status_code == 400
        here.update(options={"lock_password": False})
        assert here.choose("first secret", "second secret").status_code == 204


def test_wrong_passwords_lock_out_for_a_while() -> None:
    with site(lockout_failure_attempts=3, lockout_duration=60) as here:
        for password in ("a", "b"):
            here.login("ann", password)
        here.token("ann", "first secret")
        for password in ("a", "b", "c"):
            assert here.login("ann", password).status_code == 401
        assert here.login("ann", "first secret").status_code == 401
        assert here.choose("first secret", "second secret").status_code == 401
        _let_pass(here, 61)
        here.token("ann", "first secret")
        for password in ("a", "b", "c"):
            here.choose(password, "second secret")
        assert here.login("ann", "first secret").status_code == 401
        here.update(enabled=True)
        token = here.token("ann", "first secret")
        here.update(options={"ignore_lockout_failure_attempts": True})
        for password in ("a", "b", "c"):
            here.login("ann", password)
        here.token("ann", "first secret")
        assert token


def _let_pass(here: Site, seconds: int) -> None:
    with here.app.db.write() as tx:
        tx.execute(
            sa.text("UPDATE identity_failed_login SET last_at = :at"), {"at": now() - timedelta(seconds=seconds)}
        )


def test_who_does_not_come_for_long_is_disabled() -> None:
    with site(disable_user_account_days_inactive=30) as here:
        here.rewrite(last_active_at=now() - timedelta(days=31))
        assert here.login("ann", "first secret").status_code == 401
        with here.app.db.write() as tx:
            compliance.disable_idle(tx, here.app.settings)
        assert here.ask("GET", f"/users/{here.ann}").json["user"]["enabled"] is False
        here.update(enabled=True)
        here.token("ann", "first secret")
        here.rewrite(last_active_at=now() - timedelta(days=31))
        here.update(options={"ignore_user_inactivity": True})
        here.token("ann", "first secret")
        with here.app.db.read() as tx:
            ann = rows.find(tx, UserRow, here.ann)
        assert ann is not None
        assert ann.last_active_at is not None
        assert ann.last_active_at > now() - timedelta(minutes=5)


def test_nobody_learns_who_is_there() -> None:
    """The status, the body and the headers that a guesser sees; the time is measured by bench/identity.py."""
    with site(lockout_failure_attempts=2, disable_user_account_days_inactive=30) as here:
        here.make("locked", "first secret")
        here.make("off", "first secret", enabled=False)
        domain = here.ask("POST", "/domains", {"domain": {"name": "closed"}}).json["domain"]["id"]
        stranger = here.make("stranger", "first secret", domain_id=domain)["id"]
        here.ask("PATCH", f"/domains/{domain}", {"domain": {"enabled": False}})
        for _ in range(2):
            here.login("locked", "wrong")
        answers = {
            "wrong password": here.login("ann", "wrong"),
            "unknown user": here.login("nobody", "wrong"),
            "disabled, wrong": here.login("off", "wrong"),
            "disabled, right": here.login("off", "first secret"),
            "locked, wrong": here.login("locked", "wrong"),
            "locked, right": here.login("locked", "first secret"),
            "wrong code": here.login("ann", passcode="123456"),
            "unknown user's code": here.login("nobody", passcode="123456"),
            "in a disabled domain": _by_id(here, stranger),
            "unknown id": _by_id(here, "0" * 32),
        }
        here.rewrite(last_active_at=now() - timedelta(days=31))
        answers["away for long, right"] = here.login("ann", "first secret")
        seen = {
            name: (answer.status_code, answer.text, sorted(set(answer.headers) - {"x-openstack-request-id"}))
            for name, answer in answers.items()
        }
        assert set(map(str, seen.values())) == {str(seen["unknown user"])}, seen
        assert seen["unknown user"][0] == 401


def _by_id(here: Site, user_id: str) -> Any:
    user = {"id": user_id, "password": "first secret"}
    identity = {"methods": ["password"], "password": {"user": user}}
    return here.http.simulate_post(f"{V3}/auth/tokens", json={"auth": {"identity": identity}})


# -- several factors

KEY = base64.b32encode(b"12345678901234567890").decode()
RULES = {"multi_factor_auth_rules": [["password", "totp"]]}


def code() -> str:
    return codes(KEY, time.time())[0]


def with_key(here: Site) -> None:
    answer = here.ask("POST", "/credentials", {"credential": {"type": "totp", "blob": KEY, "user_id": here.ann}})
    assert answer.status_code == 201, answer.text


def test_a_code_is_good_once() -> None:
    with site() as here:
        with_key(here)
        one = code()
        assert here.login("ann", passcode=one).json["token"]["methods"] == ["totp"]
        assert here.login("ann", passcode=one).status_code == 401
        before = codes(KEY, time.time() - 30)[0]
        assert here.login("ann", passcode=before).status_code == 401, "nor is an earlier one"


def test_two_factors_at_once() -> None:
    with site() as here:
        with_key(here)
        here.update(options=RULES)
        assert here.login("ann", "wrong", passcode=code()).status_code == 401
        assert here.login("ann", "first secret", passcode="000000").status_code == 401
        answer = here.login("ann", "first secret", passcode=code())
        assert answer.status_code == 201
        assert sorted(answer.json["token"]["methods"]) == ["password", "totp"]
        again = {"methods": ["token"], "token": {"id": answer.headers["x-subject-token"]}}
        answer = here.http.simulate_post(f"{V3}/auth/tokens", json={"auth": {"identity": again}})
        assert sorted(answer.json["token"]["methods"]) == ["password", "token", "totp"]


def test_a_receipt_carries_what_was_proved() -> None:
    with site() as here:
        with_key(here)
        here.update(options=RULES)
        first = here.login("ann", "first secret")
        assert first.status_code == 401
        assert first.json["required_auth_methods"] == [["password", "totp"]]
        assert first.json["receipt"]["methods"] == ["password"]
        assert first.json["receipt"]["user"] == {
            "id": here.ann,
            "name": "ann",
            "domain": {"id": "default", "name": "Default"},
        }
        receipt = first.headers["openstack-auth-receipt"]
        looked = here.http.simulate_get(f"{V3}/auth/projects", headers={"x-auth-token": receipt})
        assert looked.status_code == 401, "a receipt is no token"
        assert here.login("ann", passcode="000000", receipt=receipt).status_code == 401
        assert here.login("admin", "admin secret", receipt=receipt).status_code == 401, "nor anybody else's"
        assert here.login("ann", passcode=code(), receipt=here.admin).status_code == 401, "nor is a token a receipt"
        assert here.login("ann", passcode=code(), receipt="nonsense").status_code == 401
        second = here.login("ann", passcode=code(), receipt=receipt)
        assert second.status_code == 201, second.text
        assert sorted(second.json["token"]["methods"]) == ["password", "totp"]


def test_a_known_password_does_not_allow_to_guess_codes_without_end() -> None:
    with site(lockout_failure_attempts=3) as here:
        with_key(here)
        here.update(options=RULES)
        for _ in range(3):
            receipt = here.login("ann", "first secret").headers["openstack-auth-receipt"]
            assert here.login("ann", passcode="000000", receipt=receipt).status_code == 401
        locked = here.login("ann", "first secret")
        assert locked.status_code == 401
        assert "openstack-auth-receipt" not in locked.headers
        assert here.login("ann", "first secret", passcode=code()).status_code == 401


def test_a_receipt_ends_with_the_password() -> None:
    with site() as here:
        with_key(here)
        here.update(options=RULES)
        receipt = here.login("ann", "first secret").headers["openstack-auth-receipt"]
        assert here.choose("first secret", "second secret").status_code == 204
        assert here.login("ann", passcode=code(), receipt=receipt).status_code == 401


def test_rules_can_be_switched_off_and_must_be_possible() -> None:
    with site() as here:
        here.update(options=RULES)
        assert here.login("ann", "first secret").status_code == 401
        here.update(options={"multi_factor_auth_enabled": False})
        here.token("ann", "first secret")
        here.update(options={"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["totp"], ["password"]]})
        here.token("ann", "first secret")
        for impossible in ([["password", "fingerprint"]], [[]], "password"):
            body = {"user": {"options": {"multi_factor_auth_rules": impossible}}}
            assert here.ask("PATCH", f"/users/{here.ann}", body).status_code == 400


@pytest.mark.parametrize("option", ["lockout_failure_attempts", "password_expires_days"])
def test_the_first_administrator_is_exempt(option: str) -> None:
    with site(**{option: 1}) as here:
        here.login("admin", "wrong")
        here.token("admin", "admin secret")
