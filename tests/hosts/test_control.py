"""A control plane on two machines, with simulated hosts: how the second comes to it, and what happens when one is lost."""

import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from pileus.services.identity.rules import sealing
from tests.hosts.pair import Pair, pair_in
from tests.support.command import until
from tests.support.hosts import lab_of
from tests.support.user import User

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0 or not shutil.which("haproxy"), reason="needs root for namespaces, and Debian's haproxy"
    ),
]
TAKEN_OVER = 10.0
"""Seconds until another machine has all the work of one that is lost: 4, and what a busy machine takes."""


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with lab_of(3) as lab, pair_in(lab) as pair:
        pair.up("--sim")
        yield pair


@pytest.fixture(scope="module")
def user(pair: Pair) -> User:
    """Both machines serve; the third is a host, by way of HAProxy."""
    pair.proxy()
    pair.join()
    pair.begin()
    host = pair.lab.hosts[2]
    host.pileus.ok("join", pair.hosts_url, "--token", pair.lab.token())
    host.at_boot = ["join"]
    return pair.user()


def test_a_machine_without_what_the_others_have_is_told_what_to_do(pair: Pair) -> None:
    said = pair.second.control.refused("api", "--host", pair.second.address, "--database", pair.database)
    assert "credential-key" in said
    assert "pileus control join" in said
    assert "'pileus control join'" in pair.second.control.refused("controller")
    pair.second.control("down", "--purge")


def test_tokens_are_for_what_they_were_made_for(pair: Pair) -> None:
    url = pair.lab.url
    said = pair.second.control.refused("control", "join", url, "--token", pair.lab.token())
    assert "not valid for a control plane" in said
    assert "pileus control token" in said
    assert "not valid for a host" in pair.lab.hosts[2].pileus.refused("join", url, "--token", pair.token())
    other = "0" * 64 + pair.token()[64:]
    assert "is not the cloud that the token is for" in pair.second.control.refused(
        "control", "join", url, "--token", other
    )
    assert "is not a join token" in pair.second.control.refused("control", "join", url, "--token", "no")
    assert not pair.second.control.state_dir.exists()


def test_a_database_that_is_not_reached_is_named_without_its_password(pair: Pair) -> None:
    words = (
        "control",
        "join",
        pair.lab.url,
        "--token",
        pair.token(),
        "--database",
        pair.database.replace("of%20", "no"),
    )
    said = pair.second.control.refused(*words)
    assert "does not answer here" in said
    assert "pg_hba.conf" in said
    assert "the%20wire" not in said
    assert not pair.second.control.state_dir.exists()


def test_a_joined_machine_has_what_it_needs_for_its_owners_eyes_alone(pair: Pair, user: User) -> None:
    state = pair.second.control.state_dir
    for name in (sealing.FILE, "admin-password", "pileus.toml"):
        assert (state / name).stat().st_mode & 0o777 == 0o600, name
    assert (state / sealing.FILE).read_text() == (pair.first.state_dir / sealing.FILE).read_text()
    assert User(state).root == f"https://{pair.second.address}:8780"
    assert "'pileus api' and 'pileus controller' serve there" in pair.second.control.refused("up", "--sim")
    token = pair.token()
    said = pair.first.pileus.refused("control", "join", pair.lab.url, "--token", token)
    assert "choose another --state-dir" in said
    assert "of the control plane of" in pair.second.control.ok("status")


def test_secrets_that_one_machine_sealed_the_other_reads_also_with_new_keys(pair: Pair, user: User) -> None:
    made = user.call("POST", "/identity/v3/credentials", {"credential": {"blob": "seed", "type": "totp"}})
    assert made.status_code == 201, made.text
    path = f"/identity/v3/credentials/{made.json()['credential']['id']}"
    pair.second.control.ok("rotate-keys")
    for state in (pair.first.state_dir, pair.second.control.state_dir):
        assert User(state).get(path)["credential"]["blob"] == "seed"


def test_links_lead_to_what_stands_in_front(pair: Pair, user: User) -> None:
    links = user.get("/compute/")["version"]["links"]
    assert links[0]["href"].startswith(f"{user.root}/compute/v2.1")


def until_answered(ask: Callable[[], Any]) -> Any:
    """As clients do that lose their connection."""
    while True:
        try:
            return ask()
        except httpx.RemoteProtocolError:
            continue


def test_one_of_two_machines_is_lost_then_the_other(pair: Pair, user: User) -> None:
    """While users read, through HAProxy, and notice nothing."""
    image, flavor, network = user.image(), user.flavor(), user.network()
    answers: Counter[int] = Counter()
    ended = threading.Event()

    def read() -> None:
        with httpx.Client(base_url=user.root, headers=user.http.headers, verify=user.trusted, timeout=30) as client:
            while not ended.wait(0.02):
                answers[client.get("/compute/v2.1/servers").status_code] += 1

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    try:
        for lost, stays in ((pair.first, pair.second), (pair.second, pair.first)):
            works = {*pair.owners()}
            assert {*pair.owners().values()} == {lost.name}, "who has the work keeps it"
            lost.kill()
            until(lambda: pair.owners() == dict.fromkeys(works, stays.name), TAKEN_OVER)  # noqa: B023
            server = until_answered(lambda: user.server(image, flavor, network, availability_zone="nova:host2"))["id"]
            user.wait(server, "ACTIVE")
            pair.boot(lost)
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert set(answers) == {200}, answers
