"""The openstack client against identity on a socket."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pileus.services.identity.api import api
from tests.support.live import environment, with_identity

CLIENT = shutil.which("openstack", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CLIENT is None, reason="needs python-openstackclient")]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with with_identity([api], [("keystone", "identity", "/identity")]) as found:
        yield found.url


def openstack(url: str, *words: str, shows: bool = False, **env: str) -> Any:
    """The JSON that a command prints, None where it prints nothing."""
    assert CLIENT is not None
    shows = shows or any(verb in words for verb in ("create", "list", "show", "issue"))
    command = [CLIENT, *words, *(["-f", "json"] if shows else [])]
    known = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    done = subprocess.run(
        command, capture_output=True, text=True, env=known | environment(url) | env, timeout=60, check=False
    )
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr[-2000:]}"
    return json.loads(done.stdout) if shows else None


def test_a_morning_of_an_administrator(url: str) -> None:
    assert openstack(url, "token", "issue")["id"].startswith("gAAAA")
    assert [row["Type"] for row in openstack(url, "catalog", "list")] == ["identity"]
    assert openstack(url, "project", "create", "--property", "k=v", "--tag", "t", "demo")["k"] == "v"
    user = openstack(url, "user", "create", "--project", "demo", "--password", "secret", "dana")
    assert user["name"] == "dana"
    openstack(url, "role", "add", "--user", "dana", "--project", "demo", "member")
    names = openstack(url, "role", "assignment", "list", "--names", "--effective", "--user", "dana")
    assert [row["Role"] for row in names] == ["member", "reader"]
    dana = {"OS_USERNAME": "dana", "OS_PASSWORD": "secret", "OS_PROJECT_NAME": "demo"}
    assert openstack(url, "token", "issue", **dana)["user_id"] == user["id"]
    credential = openstack(url, "application", "credential", "create", "robot", **dana)
    robot = {
        "OS_AUTH_TYPE": "v3applicationcredential",
        "OS_APPLICATION_CREDENTIAL_ID": credential["ID" if "ID" in credential else "id"],
        "OS_APPLICATION_CREDENTIAL_SECRET": credential["Secret" if "Secret" in credential else "secret"],
        **dict.fromkeys(("OS_USERNAME", "OS_PASSWORD", "OS_PROJECT_NAME"), ""),
        **dict.fromkeys(("OS_USER_DOMAIN_NAME", "OS_PROJECT_DOMAIN_NAME"), ""),
    }
    assert openstack(url, "token", "issue", **robot)["user_id"] == user["id"]
    openstack(url, "project", "set", "--description", "for showing", "demo")
    assert openstack(url, "project", "show", "demo")["description"] == "for showing"
    openstack(url, "role", "remove", "--user", "dana", "--project", "demo", "member")
    openstack(url, "user", "delete", "dana")
    openstack(url, "project", "delete", "demo")
    assert [row["Name"] for row in openstack(url, "project", "list")] == ["admin"]


def test_a_program_is_let_act_for_a_user(url: str) -> None:
    """By OAuth 1, each step as the client makes it."""
    consumer = openstack(url, "consumer", "create", "--description", "robot")
    keys = ["--consumer-key", consumer["id"], "--consumer-secret", consumer["secret"]]
    asked = openstack(url, "request", "token", "create", *keys, "--project", "admin")
    request = ["--request-key", asked["id"]]
    allowed = openstack(url, "request", "token", "authorize", *request, "--role", "member", shows=True)
    got = openstack(
        url,
        *("access", "token", "create", *keys, *request, "--request-secret", asked["secret"]),
        *("--verifier", allowed["oauth_verifier"]),
    )
    assert len(got["key"]) == 32
    assert got["secret"] not in (asked["secret"], consumer["secret"])
    openstack(url, "consumer", "delete", consumer["id"])


def test_keys_for_ec2_and_seeds(url: str) -> None:
    keys = openstack(url, "ec2", "credentials", "create", "--project", "admin")
    assert [row["Access"] for row in openstack(url, "ec2", "credentials", "list")] == [keys["access"]]
    openstack(url, "ec2", "credentials", "delete", keys["access"])
    made = openstack(url, "credential", "create", "--type", "totp", "admin", "GEZDGNBVGY3TQOJQ")
    assert made["blob"] == "GEZDGNBVGY3TQOJQ"
    openstack(url, "credential", "delete", made["id"])
