"""W43: users could not change their own password."""

from typing import Any

import httpx
import pytest

from tests.support.command import Command, free_port
from tests.support.user import User

pytestmark = pytest.mark.slow
RULES = """
password_regex = '.{10,}$'
password_regex_description = 'ten characters at least'
unique_last_password_count = 2
change_password_upon_first_use = true
"""


def test_w43_users_change_their_own_password_and_the_sites_rules_hold(pileus: Command) -> None:
    file = pileus.home.parent / "pileus.toml"
    file.write_text(RULES)
    pileus.ok("up", "--sim", "--port", str(free_port()), "--config", str(file))
    admin = User(pileus.state_dir)
    weak = admin.call("POST", "/identity/v3/users", {"user": {"name": "ann", "password": "short"}})
    assert weak.status_code == 400
    assert "ten characters at least" in weak.text
    ann = admin.made("/identity/v3/users", "user", name="ann", password="given by the administrator")["id"]

    def login(password: str) -> httpx.Response:
        who = {"name": "ann", "domain": {"id": "default"}, "password": password}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": who}}}}
        return httpx.post(f"{admin.root}/identity/v3/auth/tokens", json=body)

    def change(old: str, new: str, **headers: Any) -> httpx.Response:
        body = {"user": {"original_password": old, "password": new}}
        return httpx.post(f"{admin.root}/identity/v3/users/{ann}/password", json=body, headers=headers)

    assert login("given by the administrator").status_code == 401, "it must be changed first"
    assert change("given by the administrator", "short").status_code == 400
    assert change("not the password", "my own choice 1").status_code == 401
    assert change("given by the administrator", "my own choice 1").status_code == 204
    token = login("my own choice 1").headers["x-subject-token"]
    again = change("my own choice 1", "given by the administrator", **{"x-auth-token": token})
    assert again.status_code == 400
    assert "differ from the last 2" in again.text
    assert change("my own choice 1", "my own choice 2", **{"x-auth-token": token}).status_code == 204
    assert login("my own choice 1").status_code == 401
    assert login("my own choice 2").status_code == 201
