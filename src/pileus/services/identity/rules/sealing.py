"""Secrets that must be readable again, of credentials and of OAuth 1, sealed with keys that are sealed with a file's.

Who has a copy of the database, and not the file, can read none of them. See docs/decisions/sealed-secrets.md.
"""

from __future__ import annotations

import os
import re
import tempfile
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from pileus.core.config import Settings
from pileus.core.db import Tx
from pileus.services.identity.store import seals as store

FILE = "credential-key"
"""In the state directory: one key a line; the first seals, all open."""
KEY_LIFE = timedelta(days=30)
GRACE = timedelta(hours=1)
"""How long a key outlives its last use: a transaction that is under way may have sealed with it."""
_REMEDY = (
    "make this machine one of the control plane by 'pileus control join', with a token that 'pileus control token' prints "
    "where the cloud runs, or copy that file from there."
)
_SEALED = re.compile(r"(\d+):(gAAAA[\w-]+=*)")


class WrongKey(Exception):
    """The file is not the one that the database was sealed with."""


def seal(tx: Tx, settings: Settings, text: str) -> str:
    """The key's number and what it made of the text."""
    keys = store.keys(tx)
    key = keys[0] if keys else _first_key(tx, settings)
    return f"{key.id}:{_opened(settings.state_dir, key.key).encrypt(text.encode()).decode()}"


def unseal(tx: Tx, settings: Settings, sealed: str) -> str:
    found = _SEALED.fullmatch(sealed)
    assert found, "all that is kept is sealed: the start seals what came before there were seals"
    key = next(key for key in store.keys(tx) if key.id == int(found[1]))
    return _opened(settings.state_dir, key.key).decrypt(found[2]).decode()


def check(tx: Tx, settings: Settings) -> None:
    """Raises WrongKey where this machine could not read what the database has sealed."""
    for key in store.keys(tx):
        _opened(settings.state_dir, key.key)


def _first_key(tx: Tx, settings: Settings) -> store.Key:
    _make_file(settings.state_dir)
    return _add_key(tx, settings, 1)


def _add_key(tx: Tx, settings: Settings, key_id: int) -> store.Key:
    """The one of that number; of several who make it at once one wins."""
    store.add_key(tx, store.Key(key_id, _master(settings.state_dir).encrypt(Fernet.generate_key()).decode(), tx.now))
    return store.keys(tx)[0]


def rotate(tx: Tx, settings: Settings) -> None:
    """A new key for what is sealed from now on; `tidy` seals the rest with it."""
    keys = store.keys(tx)
    if keys:
        _add_key(tx, settings, keys[0].id + 1)


def tidy(tx: Tx, settings: Settings) -> bool:
    """A new key where the newest is old, and some secrets sealed with it that are not. Whether all are now."""
    keys = store.keys(tx)
    for key in keys:
        _seal_key_anew(tx, settings, key)
    if keys and keys[0].created_at < tx.now - KEY_LIFE:
        keys = [_add_key(tx, settings, keys[0].id + 1), *keys]
    changed = 0
    for kept in store.not_beginning_with(tx, f"{keys[0].id}:gAAAA" if keys else "1:gAAAA"):
        plain = unseal(tx, settings, kept.text) if _SEALED.fullmatch(kept.text) else kept.text
        store.replace(tx, kept, seal(tx, settings, plain))
        changed += 1
    if keys and not changed and keys[0].created_at < tx.now - GRACE:
        store.drop_keys_before(tx, keys[0].id)
    return not changed


def _seal_key_anew(tx: Tx, settings: Settings, key: store.Key) -> None:
    """With the file's first key, where it was another."""
    try:
        Fernet(_lines(settings.state_dir)[0]).decrypt(key.key)
    except InvalidToken:
        opened = _decrypted(settings.state_dir, key.key)
        store.replace_key(tx, key.id, _master(settings.state_dir).encrypt(opened).decode())


@lru_cache(maxsize=64)
def _opened(state_dir: Path, sealed_key: str) -> Fernet:
    return Fernet(_decrypted(state_dir, sealed_key))


def _decrypted(state_dir: Path, sealed_key: str) -> bytes:
    try:
        return _master(state_dir).decrypt(sealed_key)
    except InvalidToken:
        raise WrongKey(
            f"{state_dir / FILE} does not have the key that this database's secrets are sealed with: {_REMEDY}"
        ) from None


def _master(state_dir: Path) -> MultiFernet:
    return MultiFernet([Fernet(line) for line in _lines(state_dir)])


@lru_cache(maxsize=8)
def _lines(state_dir: Path) -> list[str]:
    return file_text(state_dir).split()


def file_text(state_dir: Path) -> str:
    """What another machine of the control plane needs to read what is sealed here. Raises WrongKey."""
    file = state_dir / FILE
    try:
        return file.read_text()
    except OSError as error:
        raise WrongKey(
            f"{file} can't be read ({error.strerror}), and this database's secrets are sealed with what is in it: {_REMEDY}"
        ) from None


def _make_file(state_dir: Path) -> None:
    """Of several who make it at once one wins."""
    file = state_dir / FILE
    if file.exists():
        return
    handle, new = tempfile.mkstemp(prefix=FILE, dir=state_dir)
    with os.fdopen(handle, "w") as made:
        made.write(Fernet.generate_key().decode() + "\n")
    try:
        os.link(new, file)
    except FileExistsError:
        pass
    finally:
        os.unlink(new)
