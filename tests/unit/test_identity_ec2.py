"""EC2 and S3 signatures: made by botocore where it makes them, checked by identity for a service that asks."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import HmacV1Auth, S3SigV4Auth, SigV2Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from falcon.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st

from pileus.core.db import now
from pileus.services.identity.rules import signatures
from pileus.services.identity.types.credentials import Ec2Request
from tests.support.identity import Identity

HOST = "ec2.cloud.example:8788"
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
names = st.text("abcXYZ019-_.~ &=+%/é", min_size=1, max_size=12)
fields = st.dictionaries(names, texts, max_size=6)
secrets = st.text("abcdef0123456789", min_size=1, max_size=40)


def keys(secret: str = "s3cret", access: str = "access") -> Credentials:
    return Credentials(access, secret)


def signed_v2(secret: str, params: dict[str, str], access: str = "access") -> dict[str, Any]:
    sent = {"SignatureVersion": "2", "SignatureMethod": "HmacSHA256", "AWSAccessKeyId": access} | params
    request = AWSRequest("POST", f"http://{HOST}/services/Cloud")
    _, signature = SigV2Auth(keys(secret, access)).calc_signature(request, sent)
    return {
        "access": access,
        "signature": signature,
        "host": HOST,
        "verb": "POST",
        "path": "/services/Cloud",
        "params": sent,
    }


def signed_v4(secret: str, params: dict[str, str], access: str = "access", by_query: bool = False) -> dict[str, Any]:
    method = "GET" if by_query else "POST"
    request = AWSRequest(
        method, f"http://{HOST}/", params=params if by_query else None, data=None if by_query else b"x=y"
    )
    request.headers["Host"] = HOST
    (SigV4QueryAuth if by_query else SigV4Auth)(keys(secret, access), "ec2", "RegionOne").add_auth(request)
    headers = dict(request.headers)
    sent = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
    signature = sent.get("X-Amz-Signature") or headers["Authorization"].rpartition("Signature=")[2]
    body = b"" if by_query else b"x=y"
    return {
        "access": access,
        "signature": signature,
        "host": HOST,
        "verb": method,
        "path": "/",
        "params": sent,
        "headers": headers,
        "body_hash": hashlib.sha256(body).hexdigest(),
    }


def signed_old(version: str, secret: str, access: str) -> dict[str, Any]:
    """Versions 0 and 1, which no library makes any more."""
    params = {
        "Action": "DescribeInstances",
        "SignatureVersion": version,
        "Timestamp": now().isoformat() + "Z",
        "AWSAccessKeyId": access,
    }
    text = params["Action"] + params["Timestamp"]
    if version == "1":
        text = "".join(name + params[name] for name in ("Action", "AWSAccessKeyId", "SignatureVersion", "Timestamp"))
    signature = base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha1")).decode()
    return {"access": access, "signature": signature, "host": HOST, "verb": "GET", "path": "/", "params": params}


@given(secrets, fields)
def test_version_2_as_botocore_makes_it(secret: str, params: dict[str, str]) -> None:
    asked = signed_v2(secret, params)
    assert signatures.ec2(secret, Ec2Request(**asked)) == asked["signature"]


@given(secrets, st.booleans())
def test_version_4_as_botocore_makes_it(secret: str, by_query: bool) -> None:
    asked = signed_v4(secret, {"Action": "DescribeInstances", "Filter.1": "a b/c~é"}, by_query=by_query)
    assert signatures.ec2(secret, Ec2Request(**asked)) == asked["signature"]


@given(secrets)
def test_s3_version_4_as_botocore_makes_it(secret: str) -> None:
    asked = s3_v4(secret)
    to_sign = base64.urlsafe_b64decode(asked["token"]).decode()
    assert signatures.s3(secret, to_sign) == asked["signature"]


@given(st.text(max_size=200), st.text(max_size=20))
@settings(max_examples=200)
def test_no_text_breaks_it(text: str, secret: str) -> None:
    try:
        assert isinstance(signatures.s3(secret, text), str)
        assert isinstance(signatures.v4(secret, text), str)
    except signatures.Unsigned:
        pass


def s3_v4(secret: str, access: str = "access") -> dict[str, str]:
    auth = S3SigV4Auth(keys(secret, access), "s3", "RegionOne")
    request = AWSRequest("GET", "http://s3.cloud.example/bucket/key", headers={"Host": "s3.cloud.example"})
    request.context["timestamp"] = "20261121T000000Z"
    to_sign = auth.string_to_sign(request, auth.canonical_request(request))
    return _s3(access, to_sign, auth.signature(to_sign, request))


def s3_v1(secret: str, access: str = "access") -> dict[str, str]:
    auth = HmacV1Auth(keys(secret, access))
    to_sign = auth.canonical_string("GET", urlsplit("http://s3.cloud.example/bucket/key"), {"Date": "now"})
    return _s3(access, to_sign, auth.sign_string(to_sign))


def _s3(access: str, to_sign: str, signature: str) -> dict[str, str]:
    return {
        "access": access,
        "token": base64.urlsafe_b64encode(to_sign.encode()).decode(),
        "signature": signature,
    }


# -- tokens


@pytest.fixture(scope="module")
def identity() -> Iterator[Identity]:
    made = Identity()
    made.user("heat", "service")
    made.user("dana", "member")
    yield made
    made.app.db.close()


def ec2_keys(identity: Identity, token: str, user_id: str) -> tuple[str, str]:
    made = identity.make(f"/users/{user_id}/credentials/OS-EC2", {"tenant_id": identity.project_id}, token=token)
    return made["access"], made["secret"]


def ask(identity: Identity, credentials: dict[str, Any], path: str = "/ec2tokens") -> Result:
    return identity.call("POST", path, {"credentials": credentials}, token=identity.token_of("heat"))


def user_id(identity: Identity, token: str) -> str:
    found: str = identity.call("GET", "/auth/tokens", token=token, X_Subject_Token=token).json["token"]["user"]["id"]
    return found


@pytest.fixture(scope="module")
def dana(identity: Identity) -> tuple[str, str]:
    token = identity.token_of("dana")
    return ec2_keys(identity, token, user_id(identity, token))


@pytest.mark.parametrize("version", ["0", "1", "2", "4", "4 by query"])
def test_a_service_gets_a_token_for_who_signed(identity: Identity, dana: tuple[str, str], version: str) -> None:
    access, secret = dana
    stamp = {"Action": "DescribeInstances", "Timestamp": now().isoformat() + "Z"}
    asked = {
        "0": lambda: signed_old("0", secret, access),
        "1": lambda: signed_old("1", secret, access),
        "2": lambda: signed_v2(secret, stamp, access),
        "4": lambda: signed_v4(secret, stamp, access),
        "4 by query": lambda: signed_v4(secret, stamp, access, by_query=True),
    }[version]()
    answer = ask(identity, asked)
    assert answer.status_code == 200, answer.text
    token = answer.json["token"]
    assert token["methods"] == ["ec2credential"]
    assert (token["user"]["name"], token["project"]["id"]) == ("dana", identity.project_id)
    assert [role["name"] for role in token["roles"]] == ["member", "reader"]
    assert identity.call("GET", "/auth/projects", token=answer.headers["x-subject-token"]).status_code == 200
    for wrong in ({"signature": "x"}, {"signature": "é"}, {"access": "nobody"}, {"path": "/other"}):
        if version in "01" and "path" in wrong:
            continue  # they never signed it
        assert ask(identity, asked | wrong).status_code == 401


@pytest.mark.parametrize("sign", [s3_v1, s3_v4])
def test_s3(identity: Identity, dana: tuple[str, str], sign: Any) -> None:
    asked = sign(dana[1], dana[0])
    answer = ask(identity, asked, "/s3tokens")
    assert answer.status_code == 200, answer.text
    assert answer.json["token"]["user"]["name"] == "dana"
    assert "x-subject-token" not in answer.headers
    assert ask(identity, asked | {"signature": "x"}, "/s3tokens").status_code == 401
    assert ask(identity, asked | {"token": "====!"}, "/s3tokens").status_code in (400, 401)


def test_a_host_may_be_signed_without_its_port(identity: Identity, dana: tuple[str, str]) -> None:
    stamp = {"Timestamp": now().isoformat() + "Z"}
    sent = {"SignatureVersion": "2", "SignatureMethod": "HmacSHA256"} | stamp
    request = AWSRequest("POST", "http://ec2.cloud.example/")
    _, signature = SigV2Auth(keys(dana[1], dana[0])).calc_signature(request, sent)
    asked = {"access": dana[0], "signature": signature, "params": sent, "verb": "POST"}
    assert ask(identity, asked | {"host": HOST}).status_code == 200


def test_an_old_signature_is_worth_nothing(identity: Identity, dana: tuple[str, str]) -> None:
    for minutes, status in ((-16, 401), (-14, 200), (14, 200), (16, 401)):
        at = (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert ask(identity, signed_v2(dana[1], {"Timestamp": at}, dana[0])).status_code == status
    asked = signed_v2(dana[1], {"Timestamp": "soon"}, dana[0])
    assert ask(identity, asked).status_code == 401
    del asked["params"]["Timestamp"]
    assert ask(identity, asked).status_code == 401


def test_only_services_may_ask(identity: Identity, dana: tuple[str, str]) -> None:
    ec2 = signed_v2(dana[1], {"Timestamp": now().isoformat() + "Z"}, dana[0])
    for path, asked in (("/ec2tokens", ec2), ("/s3tokens", s3_v1(dana[1], dana[0]))):
        for token, status in ((None, 401), ("project-member", 403), ("project-manager", 403), ("project-service", 200)):
            assert identity.call("POST", path, {"credentials": asked}, token=token).status_code == status


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"credentials": {}}', '{"credentials": 7}', '{"credentials": null}'])
def test_bodies_that_are_none(identity: Identity, body: str) -> None:
    for path in ("/ec2tokens", "/s3tokens"):
        assert identity.call("POST", path, body).status_code == 400


# -- what was lent stays as narrow as it was (CVE-2020-12689, CVE-2020-12690, CVE-2020-12691, CVE-2020-12692)


def token_for(identity: Identity, access: str, secret: str) -> Result:
    return ask(identity, signed_v2(secret, {"Timestamp": now().isoformat() + "Z"}, access))


def lent(identity: Identity, impersonation: bool, **more: Any) -> tuple[str, str]:
    """A trust of the administrator to dana with role reader: its id, and a token of it."""
    dana_id = user_id(identity, identity.token_of("dana"))
    body = {
        "trustor_user_id": identity.user_id,
        "trustee_user_id": dana_id,
        "project_id": identity.project_id,
        "impersonation": impersonation,
        "roles": [{"name": "member"}],
        **more,
    }
    trust = identity.make("/OS-TRUST/trusts", {"trust": body})
    user = {"name": "dana", "domain": {"id": "default"}, "password": "secret"}
    made = identity.log_in(
        {"methods": ["password"], "password": {"user": user}}, {"OS-TRUST:trust": {"id": trust["id"]}}
    )
    assert made.status_code == 201, made.text
    return trust["id"], made.headers["x-subject-token"]


@pytest.mark.parametrize("impersonation", [True, False])
@pytest.mark.parametrize("by_blob", [True, False])
def test_keys_made_with_a_trust_speak_for_the_trust(identity: Identity, impersonation: bool, by_blob: bool) -> None:
    trust_id, token = lent(identity, impersonation)
    who = user_id(identity, token)
    if by_blob:
        access, secret = f"mine-{impersonation}", "hush"
        blob = json.dumps({"access": access, "secret": secret})
        credential = {"type": "ec2", "blob": blob, "project_id": identity.project_id}
        made = identity.make("/credentials", {"credential": credential}, token=token)
        assert json.loads(made["blob"])["trust_id"] == trust_id
        for other in ({"access": access, "secret": secret}, {"access": access, "secret": "x", "trust_id": "other"}):
            change = {"credential": {"blob": json.dumps(other)}}
            assert identity.call("PATCH", f"/credentials/{made['id']}", change, token=token).status_code == 400
    else:
        access, secret = ec2_keys(identity, token, who)
    answer = token_for(identity, access, secret)
    assert answer.status_code == 200, answer.text
    assert answer.json["token"]["OS-TRUST:trust"]["id"] == trust_id
    assert [role["name"] for role in answer.json["token"]["roles"]] == ["member", "reader"]
    assert answer.json["token"]["user"]["id"] == who
    assert identity.call("DELETE", f"/OS-TRUST/trusts/{trust_id}").status_code == 204
    assert token_for(identity, access, secret).status_code == 401


def test_keys_use_up_a_trust(identity: Identity) -> None:
    _, token = lent(identity, False, remaining_uses=2)
    access, secret = ec2_keys(identity, token, user_id(identity, token))
    assert [token_for(identity, access, secret).status_code for _ in range(2)] == [200, 401]


def test_nobody_claims_a_trust_by_writing_its_name(identity: Identity) -> None:
    trust_id, _ = lent(identity, True)
    for field in ("trust_id", "app_cred_id", "access_token_id"):
        blob = json.dumps({"access": "a", "secret": "b", field: trust_id})
        credential = {"type": "ec2", "blob": blob, "project_id": identity.project_id}
        made = identity.call("POST", "/credentials", {"credential": credential}, token=identity.token_of("dana"))
        assert made.status_code == 400, made.text


def application_credential(identity: Identity, unrestricted: bool) -> str:
    body = {"name": f"free {unrestricted}", "roles": [{"name": "member"}], "unrestricted": unrestricted}
    path = f"/users/{identity.user_id}/application_credentials"
    made = identity.make(path, {"application_credential": body})
    given = {"id": made["id"], "secret": made["secret"]}
    answer = identity.log_in({"methods": ["application_credential"], "application_credential": given})
    token: str = answer.headers["x-subject-token"]
    return token


def test_keys_made_with_an_application_credential_speak_for_it(identity: Identity) -> None:
    token = application_credential(identity, unrestricted=True)
    access, secret = ec2_keys(identity, token, identity.user_id)
    answer = token_for(identity, access, secret)
    assert [role["name"] for role in answer.json["token"]["roles"]] == ["member", "reader"]
    assert answer.json["token"]["application_credential"]["restricted"] is False


def test_a_restricted_application_credential_makes_none(identity: Identity) -> None:
    token = application_credential(identity, unrestricted=False)
    path = f"/users/{identity.user_id}/credentials/OS-EC2"
    assert identity.call("POST", path, {"tenant_id": identity.project_id}, token=token).status_code == 403
    blob = json.dumps({"access": "a", "secret": "b"})
    credential = {"type": "ec2", "blob": blob, "project_id": identity.project_id}
    assert identity.call("POST", "/credentials", {"credential": credential}, token=token).status_code == 403


def test_a_delegated_token_reaches_its_project_alone(identity: Identity) -> None:
    other = identity.make("/projects", {"project": {"name": "other"}})["id"]
    mine = identity.make(f"/users/{identity.user_id}/credentials/OS-EC2", {"tenant_id": other})
    totp = {"type": "totp", "blob": "GEZDGNBVGY3TQOJQ"}
    seed = identity.make("/credentials", {"credential": totp})["id"]
    ec2_id = hashlib.sha256(mine["access"].encode()).hexdigest()
    _, token = lent(identity, impersonation=True)
    path = f"/users/{identity.user_id}/credentials/OS-EC2"
    assert identity.call("POST", path, {"tenant_id": other}, token=token).status_code == 403
    assert identity.call("POST", "/credentials", {"credential": totp}, token=token).status_code == 403
    for one in (f"/credentials/{ec2_id}", f"/credentials/{seed}", f"{path}/{mine['access']}"):
        assert identity.call("GET", one).status_code == 200
        assert identity.call("GET", one, token=token).status_code == 403
        assert identity.call("DELETE", one, token=token).status_code == 403
    for many in ("/credentials", path):
        seen = identity.call("GET", many, token=token).json["credentials"]
        assert {one.get("project_id", one.get("tenant_id")) for one in seen} <= {identity.project_id}
    for lends in ("application_credentials", "access_rules"):
        assert identity.call("GET", f"/users/{identity.user_id}/{lends}", token=token).status_code == 403
