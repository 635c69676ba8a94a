"""`pileus federation`: how this cloud asks identity providers who somebody is."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from pileus.core.config import Settings
from pileus.core.context import system_caller
from pileus.core.db import Database, Tx
from pileus.core.errors import Problem
from pileus.operate import state
from pileus.operate.options import OptionError
from pileus.services.identity.federation import fetch
from pileus.services.identity.rules import sign_on as rules
from pileus.services.identity.rules.sign_on import Place
from pileus.services.identity.types.sign_on import OpenId, Saml2, SignOn


def configure(state_dir: Path, provider_id: str, protocol: str, file: Path) -> str:
    """Take a TOML file over ('-': standard input). What the identity provider must know. Raises OptionError."""
    wanted, secret = read(file)
    with _cloud(state_dir) as (tx, settings):
        place = rules.configure(tx, settings, system_caller(), provider_id, protocol, wanted, secret)
    return _to_register(place, wanted)


def describe(state_dir: Path, provider_id: str, protocol: str) -> str:
    """The settings, without secrets, and what the identity provider must know. Raises OptionError."""
    with _cloud(state_dir) as (tx, settings):
        found = rules.configured(tx, settings, provider_id, protocol)
    shown = msgspec.to_builtins(found.sign_on)
    if isinstance(found.sign_on, Saml2):
        shown["metadata"] = f"({len(found.sign_on.metadata)} characters)"
    lines = [f"{name}: {value}" for name, value in shown.items()]
    if found.secret is not None:
        lines.append("client_secret: (kept sealed)")
    return "\n".join([*lines, _to_register(found.place, found.sign_on)])


def forget(state_dir: Path, provider_id: str, protocol: str) -> None:
    """Raises OptionError."""
    with _cloud(state_dir) as (tx, _):
        rules.forget(tx, system_caller(), provider_id, protocol)


def read(file: Path) -> tuple[SignOn, str | None]:
    """The settings that a file gives, and the client's secret. Raises OptionError."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        values = tomllib.loads(text)
        secret = values.pop("client_secret", None)
        if values.get("kind") == "saml2" and isinstance(values.get("metadata"), str):
            values["metadata"] = _metadata(file, values["metadata"])
        found: SignOn = msgspec.convert(values, SignOn)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise OptionError(f"{file}: {error}.") from None
    if secret is not None and not isinstance(secret, str):
        raise OptionError(f"{file}: client_secret must be a text.")
    _check(file, found)
    return found, secret


def _metadata(file: Path, where: str) -> str:
    """From an address, or from a file beside the settings."""
    if "://" in where:
        try:
            return fetch.text(where)
        except (Problem, fetch.Refused) as error:
            raise OptionError(f"{file}: metadata: {error}") from None
    return (file.parent / where).read_text()


def _check(file: Path, found: SignOn) -> None:
    if isinstance(found, OpenId):
        if not fetch.is_safe(found.issuer):
            raise OptionError(f"{file}: issuer is {found.issuer}: it must begin with https://.")
        return
    from pileus.services.identity.federation import saml

    try:
        saml.provider_of(found)
    except Problem as problem:
        raise OptionError(f"{file}: {problem.message}") from None


def _to_register(place: Place, sign_on: SignOn) -> str:
    if isinstance(sign_on, OpenId):
        return f"Register at the identity provider, for client '{sign_on.client_id}':\n  redirect URI  {place.callback}"
    return (
        "Register at the identity provider:\n"
        f"  entity ID, and where its metadata is  {place.entity_id}\n"
        f"  assertion consumer service            {place.acs}"
    )


@contextmanager
def _cloud(state_dir: Path) -> Iterator[tuple[Tx, Settings]]:
    noted: Any = state.noted(state_dir)
    if noted is None:
        raise OptionError(f"There is no cloud in {state_dir}: start one by 'pileus up'.")
    with closing(Database(noted.settings.database_url)) as db:
        try:
            with db.write() as tx:
                yield tx, noted.settings
        except Problem as problem:
            raise OptionError(problem.message) from None
