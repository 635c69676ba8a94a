"""OAuth 2.0 from a client's side: a secret or a certificate for a token, and what a bound token is worth without it."""

import base64
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from falcon.testing import Result

from pileus.core.certificates import thumbprint
from tests.support.identity import Identity

SECRET = "between the proxy and the cloud"
FORM = {"content-type": "application/x-www-form-urlencoded"}
GRANT = "grant_type=client_credentials"


@pytest.fixture(scope="module")
def identity() -> Iterator[Identity]:
    made = Identity(tls_proxy_secret=SECRET)
    yield made
    made.app.db.close()


def certificate(*subject: tuple[x509.ObjectIdentifier, str]) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "our CA")])
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(kind, text) for kind, text in subject]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)


def shown(der: bytes) -> dict[str, str]:
    """What the proxy adds."""
    return {"Client-Cert": f":{base64.b64encode(der).decode()}:", "X-TLS-Proxy-Secret": SECRET}


def ask(identity: Identity, form: str, **headers: str) -> Result:
    return identity.call("POST", "/OS-OAUTH2/token", form, token=None, **(FORM | headers))


def basic(client: str, secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{client}:{secret}".encode()).decode()}


@pytest.fixture(scope="module")
def client(identity: Identity) -> dict[str, Any]:
    path = f"/users/{identity.user_id}/application_credentials"
    return identity.make(path, {"application_credential": {"name": "client", "roles": [{"name": "reader"}]}})


def test_a_secret_gives_a_bearer_token(identity: Identity, client: dict[str, Any]) -> None:
    answer = ask(identity, GRANT, **basic(client["id"], client["secret"]))
    assert answer.status_code == 200, answer.text
    assert set(answer.json) == {"access_token", "token_type", "expires_in"}
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 3600)
    assert answer.headers["cache-control"] == "no-store"
    bearer = {"Authorization": f"Bearer {answer.json['access_token']}"}
    assert identity.call("GET", "/auth/projects", token=None, **bearer).status_code == 200
    token = answer.json["access_token"]
    looked_at = identity.call("GET", "/auth/tokens", token=token, X_Subject_Token=token).json["token"]
    assert [role["name"] for role in looked_at["roles"]] == ["reader"]
    assert looked_at["application_credential"]["id"] == client["id"]


def test_a_secret_in_the_form(identity: Identity, client: dict[str, Any]) -> None:
    assert ask(identity, f"{GRANT}&client_id={client['id']}&client_secret={client['secret']}").status_code == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ("", "invalid_request"),
        ("grant_type=", "unsupported_grant_type"),
        ("grant_type=password", "unsupported_grant_type"),
        (f"{GRANT}&{GRANT}", "invalid_request"),
        ("x=" + "&x=".join("y" * 30), "invalid_request"),
        ("%ff%fe", "invalid_request"),
        (f"{GRANT}&client_id=%00", "invalid_request"),
    ],
)
def test_requests_that_are_none(identity: Identity, form: str, error: str) -> None:
    answer = ask(identity, form)
    assert answer.status_code == 400
    assert answer.json["error"] == error
    assert answer.json["error_description"]


def test_clients_that_are_none(identity: Identity, client: dict[str, Any]) -> None:
    answers = [
        ask(identity, GRANT),
        ask(identity, GRANT, **basic(client["id"], "wrong")),
        ask(identity, GRANT, **basic("nobody", "wrong")),
        ask(identity, GRANT, **basic("no\x00body", "wrong")),
        ask(identity, GRANT, Authorization="Basic ???"),
        ask(identity, f"{GRANT}&client_id={identity.user_id}"),
    ]
    for answer in answers:
        assert answer.status_code == 401
        assert answer.json == answers[0].json
        assert answer.json["error"] == "invalid_client"
        assert answer.headers["www-authenticate"].startswith("Basic")


def test_other_methods(identity: Identity) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert identity.call(method, "/OS-OAUTH2/token").status_code == 405


# -- certificates


@pytest.fixture(scope="module")
def robot(identity: Identity) -> dict[str, Any]:
    rules = [
        {
            "local": [{"user": {"name": "{0}", "domain": {"name": "{1}"}, "email": "{2}"}}],
            "remote": [
                {"type": "SSL_CLIENT_SUBJECT_DN_CN"},
                {"type": "SSL_CLIENT_SUBJECT_DN_O"},
                {"type": "SSL_CLIENT_SUBJECT_DN_EMAILADDRESS"},
                {"type": "SSL_CLIENT_ISSUER_DN_CN", "any_one_of": ["our CA"]},
            ],
        }
    ]
    made = identity.call("PUT", "/OS-FEDERATION/mappings/oauth2_mapping", {"mapping": {"rules": rules}})
    assert made.status_code == 201, made.text
    return identity.user("robot", "member", default_project_id=identity.project_id, email="robot@example.org")


OF_ROBOT = (
    (x509.NameOID.COMMON_NAME, "robot"),
    (x509.NameOID.ORGANIZATION_NAME, "Default"),
    (x509.NameOID.EMAIL_ADDRESS, "robot@example.org"),
)


def test_a_certificate_gives_a_token_that_is_bound_to_it(identity: Identity, robot: dict[str, Any]) -> None:
    der = certificate(*OF_ROBOT)
    answer = ask(identity, f"{GRANT}&client_id={robot['id']}", **shown(der))
    assert answer.status_code == 200, answer.text
    token = answer.json["access_token"]
    looked_at = identity.call("GET", "/auth/tokens", X_Subject_Token=token).json["token"]
    assert looked_at["methods"] == ["oauth2_credential"]
    assert looked_at["oauth2_credential"] == {"x5t#S256": thumbprint(der)}
    assert looked_at["user"]["name"] == "robot"
    assert looked_at["project"]["id"] == identity.project_id

    assert identity.call("GET", "/auth/projects", token=token, **shown(der)).status_code == 200
    for without in (
        {},
        shown(certificate(*OF_ROBOT)),
        shown(der) | {"X-TLS-Proxy-Secret": "guess"},
        {"Client-Cert": shown(der)["Client-Cert"]},
    ):
        assert identity.call("GET", "/auth/projects", token=token, **without).status_code == 401
    again = identity.log_in({"methods": ["token"], "token": {"id": token}}, identity.scope("admin"), **shown(der))
    assert again.status_code == 403, "the binding must not be lost"


def test_nginx_writes_it_otherwise(identity: Identity, robot: dict[str, Any]) -> None:
    headers = shown(b"") | {"Client-Cert": quote(ssl.DER_cert_to_PEM_cert(certificate(*OF_ROBOT)))}
    assert ask(identity, f"{GRANT}&client_id={robot['id']}", **headers).status_code == 200


def test_certificates_of_others(identity: Identity, robot: dict[str, Any]) -> None:
    name, domain, email = OF_ROBOT
    form = f"{GRANT}&client_id={robot['id']}"
    wrong = [
        ((x509.NameOID.COMMON_NAME, "admin"), domain, email),
        (name, (x509.NameOID.ORGANIZATION_NAME, "Other"), email),
        (name, domain, (x509.NameOID.EMAIL_ADDRESS, "x@example.org")),
        (name, domain),
        (name,),
    ]
    for subject in wrong:
        assert ask(identity, form, **shown(certificate(*subject))).status_code == 401, subject
    of_robot = shown(certificate(*OF_ROBOT))
    assert ask(identity, form, **(of_robot | {"X-TLS-Proxy-Secret": "guess"})).status_code == 401
    assert ask(identity, f"{GRANT}&client_id={identity.user_id}", **of_robot).status_code == 401
    assert ask(identity, f"{GRANT}&client_id=nobody", **of_robot).status_code == 401
    assert ask(identity, GRANT, **of_robot).status_code == 401
    assert ask(identity, form, **shown(b"no certificate")).status_code == 401


def test_a_mapping_must_name_somebody(identity: Identity, robot: dict[str, Any]) -> None:
    """A name without a domain could be anybody's of that name."""
    of_robot = shown(certificate(*OF_ROBOT))
    path = "/OS-FEDERATION/mappings/oauth2_mapping"
    before = identity.call("GET", path).json["mapping"]["rules"]
    local: dict[str, Any] = {"user": {"name": "{0}"}}
    remote = [{"type": "SSL_CLIENT_SUBJECT_DN_CN"}]
    for given, status in (({"name": "{0}"}, 401), ({"id": robot["id"]}, 200), ({"id": identity.user_id}, 401)):
        local["user"] = given
        rules = {"mapping": {"rules": [{"local": [local], "remote": remote}]}}
        assert identity.call("PATCH", path, rules).status_code == 200
        assert ask(identity, f"{GRANT}&client_id={robot['id']}", **of_robot).status_code == status, given
    assert identity.call("PATCH", path, {"mapping": {"rules": before}}).status_code == 200


def test_who_is_disabled_or_nowhere_gets_none(identity: Identity, robot: dict[str, Any]) -> None:
    form, of_robot = f"{GRANT}&client_id={robot['id']}", shown(certificate(*OF_ROBOT))
    for change, back in (
        ({"enabled": False}, {"enabled": True}),
        ({"default_project_id": None}, {"default_project_id": identity.project_id}),
    ):
        assert identity.call("PATCH", f"/users/{robot['id']}", {"user": change}).status_code == 200
        assert ask(identity, form, **of_robot).status_code == 401
        assert identity.call("PATCH", f"/users/{robot['id']}", {"user": back}).status_code == 200
        assert ask(identity, form, **of_robot).status_code == 200
