"""An OpenID Connect provider of the tests' own: one user, one client of the cloud, one of its command line."""

import base64
import hashlib
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.web import Answer, Asked, as_json, web

CLIENTS = {"cloud": "cloud-secret", "cli": "cli-secret", "shop": "shop-secret"}
PASSWORD = "dana's password"


class OpenIdProvider:
    def __init__(self) -> None:
        self.issuer = ""
        self.claims: dict[str, Any] = {
            "sub": "1234",
            "preferred_username": "dana",
            "email": "dana@acme.example",
            "groups": ["staff", "eng"],
            "realm_access": {"roles": ["builder"]},
        }
        self.key_id = "k1"
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.codes: dict[str, dict[str, str]] = {}
        self.opaque: dict[str, dict[str, Any]] = {}
        self.gives_opaque = False
        self.key_requests = 0
        self.overrides: dict[str, Any] = {}
        """Claims that the next ID tokens get, right or wrong."""
        self.handlers = {
            "/.well-known/openid-configuration": self.describe,
            "/keys": self.keys,
            "/authorize": self.authorize,
            "/token": self.token,
            "/userinfo": self.userinfo,
            "/introspect": self.introspect,
        }

    def describe(self, _: Asked) -> Answer:
        ends = ("authorization", "token", "userinfo", "introspection")
        paths = ("authorize", "token", "userinfo", "introspect")
        found = {f"{end}_endpoint": f"{self.issuer}/{path}" for end, path in zip(ends, paths, strict=True)}
        return as_json({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", **found})

    def keys(self, _: Asked) -> Answer:
        self.key_requests += 1
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return as_json({"keys": [{**public, "kid": self.key_id, "use": "sig", "alg": "RS256"}]})

    def signed(self, client: str, **more: Any) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": client, "iat": now, "exp": now + 300, **self.claims, **more}
        return jwt.encode({**claims, **self.overrides}, self.key, "RS256", {"kid": self.key_id})

    def authorize(self, asked: Asked) -> Answer:
        """The user is signed on already, and agrees."""
        code = secrets.token_hex(8)
        self.codes[code] = asked.query
        there = {"code": code, "state": asked.query["state"]}
        return Answer(status=302, headers={"Location": f"{asked.query['redirect_uri']}?{urlencode(there)}"})

    def token(self, asked: Asked) -> Answer:
        client = self._client(asked)
        form = asked.form
        if client is None:
            return as_json({"error": "invalid_client"}, 401)
        if form["grant_type"] == "password" and (form["username"], form["password"]) != ("dana", PASSWORD):
            return as_json({"error": "invalid_grant"}, 400)
        more: dict[str, Any] = {}
        if form["grant_type"] == "authorization_code":
            begun = self.codes.pop(form["code"], None)
            proof = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
            same = begun is not None and begun["redirect_uri"] == form["redirect_uri"]
            if begun is None or not same or begun["code_challenge"] != proof.rstrip("="):
                return as_json({"error": "invalid_grant"}, 400)
            more["nonce"] = begun["nonce"]
        access = self.signed(client)
        if self.gives_opaque:
            access = secrets.token_hex(16)
            self.opaque[access] = {"active": True, "client_id": client, "iss": self.issuer, **self.claims}
        return as_json({"access_token": access, "id_token": self.signed(client, **more), "token_type": "Bearer"})

    def userinfo(self, _: Asked) -> Answer:
        return as_json({"sub": self.claims["sub"], "nickname": "dd"})

    def introspect(self, asked: Asked) -> Answer:
        if self._client(asked) is None:
            return as_json({"error": "invalid_client"}, 401)
        return as_json(self.opaque.get(asked.form["token"], {"active": False}))

    def _client(self, asked: Asked) -> str | None:
        given = asked.headers.get("authorization", "").removeprefix("Basic ")
        name, _, secret = base64.b64decode(given).decode().partition(":")
        return name if CLIENTS.get(name) == secret else None


@contextmanager
def openid_provider() -> Iterator[OpenIdProvider]:
    found = OpenIdProvider()
    with web(found.handlers) as found.issuer:
        yield found
