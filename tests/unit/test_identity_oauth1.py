"""OAuth 1 from a consumer's side: its requests are signed by oauthlib's client."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from falcon.testing import Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oauthlib.oauth1 import (
    SIGNATURE_HMAC_SHA1,
    SIGNATURE_HMAC_SHA256,
    SIGNATURE_HMAC_SHA512,
    SIGNATURE_PLAINTEXT,
    Client,
)

from tests.support.identity import BASE, V3, Identity


@pytest.fixture(scope="module")
def identity() -> Iterator[Identity]:
    made = Identity()
    yield made
    made.app.db.close()


class Consumer:
    def __init__(self, identity: Identity, **options: Any) -> None:
        made = identity.make("/OS-OAUTH1/consumers", {"consumer": {"description": "robot"}})
        self.id, self.secret, self.identity, self.options = made["id"], made["secret"], identity, options

    def sign(self, path: str, **how: str) -> dict[str, str]:
        given = {"client_key": self.id, "client_secret": self.secret} | self.options | how
        client = Client(**given)
        _, headers, _ = client.sign(BASE + V3 + path, "POST")
        return dict(headers)

    def ask(self, project_id: str, **how: str) -> Result:
        path = "/OS-OAUTH1/request_token"
        headers = self.sign(path, callback_uri="oob", **how)
        return self.identity.call("POST", path, token=None, Requested_Project_Id=project_id, **headers)

    def fetch(self, key: str, secret: str, verifier: str) -> Result:
        path = "/OS-OAUTH1/access_token"
        headers = self.sign(path, resource_owner_key=key, resource_owner_secret=secret, verifier=verifier)
        return self.identity.call("POST", path, token=None, **headers)

    def log_in(self, key: str, secret: str, **how: str) -> Result:
        headers = self.sign("/auth/tokens", resource_owner_key=key, resource_owner_secret=secret, **how)
        return self.identity.log_in({"methods": ["oauth1"], "oauth1": {}}, **headers)


def form(answer: Result) -> dict[str, str]:
    assert answer.status_code == 201, answer.text
    assert answer.headers["content-type"] == "application/x-www-form-urlencoded"
    return dict(parse_qsl(answer.text))


def authorize(identity: Identity, token: str, *roles: str, caller: str = "admin") -> Result:
    body = {"roles": [{"name": role} for role in roles]}
    return identity.call("PUT", f"/OS-OAUTH1/authorize/{token}", body, token=caller)


def access(identity: Identity, consumer: Consumer, *roles: str) -> tuple[str, str]:
    """An access token and its secret, by the whole dance."""
    asked = form(consumer.ask(identity.project_id))
    verifier = authorize(identity, asked["oauth_token"], *roles).json["token"]["oauth_verifier"]
    got = form(consumer.fetch(asked["oauth_token"], asked["oauth_token_secret"], verifier))
    return got["oauth_token"], got["oauth_token_secret"]


@pytest.mark.parametrize("method", [SIGNATURE_HMAC_SHA1, SIGNATURE_HMAC_SHA256, SIGNATURE_HMAC_SHA512])
def test_a_consumer_acts_for_a_user(identity: Identity, method: str) -> None:
    consumer = Consumer(identity, signature_method=method)
    key, secret = access(identity, consumer, "member")
    answer = consumer.log_in(key, secret)
    assert answer.status_code == 201, answer.text
    token = answer.json["token"]
    assert token["methods"] == ["oauth1"]
    assert token["OS-OAUTH1"] == {"access_token_id": key, "consumer_id": consumer.id}
    assert token["project"]["id"] == identity.project_id
    assert [role["name"] for role in token["roles"]] == ["member", "reader"]
    mine = answer.headers["x-subject-token"]
    assert identity.call("GET", "/auth/projects", token=mine).status_code == 200

    here = f"/users/{identity.user_id}/OS-OAUTH1/access_tokens"
    listed = identity.call("GET", here).json["access_tokens"]
    assert key in [one["id"] for one in listed]
    assert "secret" not in str(listed)
    assert [one["name"] for one in identity.call("GET", f"{here}/{key}/roles").json["roles"]] == ["member"]
    assert identity.call("DELETE", f"{here}/{key}").status_code == 204
    assert identity.call("GET", "/auth/projects", token=mine).status_code == 401
    assert consumer.log_in(key, secret).status_code == 401


def test_what_was_delegated_goes_no_further(identity: Identity) -> None:
    consumer = Consumer(identity)
    mine = consumer.log_in(*access(identity, consumer, "admin")).headers["x-subject-token"]
    for scope in (None, {"system": {"all": True}}, identity.scope("admin")):
        again = identity.log_in({"methods": ["token"], "token": {"id": mine}}, scope)
        assert again.status_code == 403
    other = form(consumer.ask(identity.project_id))["oauth_token"]
    assert authorize(identity, other, "member", caller=mine).status_code == 403
    assert identity.call("GET", f"/users/{identity.user_id}/OS-OAUTH1/access_tokens", token=mine).status_code == 403
    name = {"application_credential": {"name": "for ever"}}
    assert identity.call("POST", f"/users/{identity.user_id}/application_credentials", name, mine).status_code == 403
    trust = {"trust": {"trustor_user_id": identity.user_id, "trustee_user_id": identity.user_id, "impersonation": True}}
    assert identity.call("POST", "/OS-TRUST/trusts", trust, mine).status_code == 403


def test_it_ends_with_its_consumer_and_with_the_role(identity: Identity) -> None:
    consumer = Consumer(identity)
    mine = consumer.log_in(*access(identity, consumer, "member")).headers["x-subject-token"]
    assert identity.call("DELETE", f"/OS-OAUTH1/consumers/{consumer.id}").status_code == 204
    assert identity.call("GET", "/auth/projects", token=mine).status_code == 401


def test_each_step_once(identity: Identity) -> None:
    consumer = Consumer(identity)
    path = "/OS-OAUTH1/request_token"
    headers = consumer.sign(path, callback_uri="oob") | {"Requested-Project-Id": identity.project_id}
    asked = form(identity.call("POST", path, token=None, **headers))
    assert identity.call("POST", path, token=None, **headers).status_code == 401, "the same nonce again"
    key, secret = asked["oauth_token"], asked["oauth_token_secret"]
    assert consumer.fetch(key, secret, "guess").status_code == 401, "nobody has authorized it"
    verifier = authorize(identity, key, "member").json["token"]["oauth_verifier"]
    assert consumer.fetch(key, secret, "guess").status_code == 401
    assert consumer.fetch(key, "guess", verifier).status_code == 401
    assert Consumer(identity).fetch(key, secret, verifier).status_code == 401, "another consumer"
    form(consumer.fetch(key, secret, verifier))
    assert consumer.fetch(key, secret, verifier).status_code == 401


def test_refusals(identity: Identity) -> None:
    consumer = Consumer(identity)
    assert consumer.ask(identity.project_id, client_secret="wrong").status_code == 401
    assert consumer.ask(identity.project_id, client_key="nobody").status_code == 401
    assert consumer.ask(identity.project_id, timestamp="1600000000").status_code == 401
    assert consumer.ask(identity.project_id, timestamp="soon").status_code == 401
    assert consumer.ask(identity.project_id, signature_method=SIGNATURE_PLAINTEXT).status_code == 400
    assert consumer.ask(identity.project_id, client_key="no\x00body").status_code == 400
    assert consumer.ask("nowhere").status_code == 404
    assert identity.call("POST", "/OS-OAUTH1/request_token", token=None).status_code == 400
    assert consumer.log_in("nothing", "at all").status_code == 401
    asked = form(consumer.ask(identity.project_id))["oauth_token"]
    assert authorize(identity, asked, "service").status_code == 401
    assert authorize(identity, asked, "no such role").status_code == 401
    assert authorize(identity, asked).status_code == 400
    assert authorize(identity, "nothing", "member").status_code == 404
    assert authorize(identity, asked, "member", caller="project-member").status_code == 403


def test_one_user_agrees(identity: Identity) -> None:
    identity.user("second admin", "admin")
    asked = form(Consumer(identity).ask(identity.project_id))["oauth_token"]
    assert authorize(identity, asked, "member").status_code == 200
    assert authorize(identity, asked, "member", caller=identity.token_of("second admin")).status_code == 403


@given(st.text(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
def test_no_header_breaks_it(identity: Identity, text: str) -> None:
    header = "OAuth " + text.encode("ascii", "replace").decode().translate(dict.fromkeys([*range(32), 127]))
    answer = identity.call(
        "POST", "/OS-OAUTH1/request_token", token=None, Authorization=header, Requested_Project_Id="x"
    )
    assert answer.status_code in (400, 401)
