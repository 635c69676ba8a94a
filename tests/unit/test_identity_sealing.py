"""Secrets in the database are sealed; keys change under them; without the file they are lost."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.services.identity import reconcile, tables
from pileus.services.identity.bootstrap import bootstrap
from pileus.services.identity.rules import sealing
from pileus.services.identity.store import seals as store
from tests.support.identity import Identity
from tests.support.postgres import DATABASES, new_url

SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.fixture(params=DATABASES)
def db(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    made = Database(new_url(request.param, tmp_path))
    made.create_tables()
    yield made
    made.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path)


def run(db: Database, settings: Settings) -> None:
    """What the reconciler does each hour."""
    reconcile.seal_anew(db, settings)


def age_keys(db: Database, age: timedelta = timedelta(days=400)) -> None:
    with db.write() as tx:
        tx.execute(tables.seal_keys.update().values(created_at=tx.now - age))


def key_ids(db: Database) -> list[int]:
    with db.read() as tx:
        return [key.id for key in store.keys(tx)]


@given(text=st.text(max_size=200))
@how(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
def test_what_is_sealed_comes_back(db: Database, settings: Settings, text: str) -> None:
    with db.write() as tx:
        sealed = sealing.seal(tx, settings, text)
        assert sealing.unseal(tx, settings, sealed) == text
        assert len(text) < 4 or text not in sealed


@pytest.fixture
def identity() -> Iterator[Identity]:
    made = Identity()
    yield made
    made.app.db.close()


def kept(identity: Identity) -> list[str]:
    with identity.app.db.read() as tx:
        return [text for column in store.PLACES for text in tx.scalars(sa.select(column))]


def blobs(identity: Identity) -> list[str]:
    return [one["blob"] for one in identity.call("GET", "/credentials").json["credentials"]]


def test_keys_change_and_old_ones_go(identity: Identity) -> None:
    db, settings = identity.app.db, identity.app.settings
    for _ in range(3):
        identity.make("/credentials", {"credential": {"type": "totp", "blob": SEED}})
    consumer = identity.make("/OS-OAUTH1/consumers", {"consumer": {}})
    run(db, settings)
    before = kept(identity)
    assert len(before) == 4
    assert all(text.startswith("1:gAAAA") for text in before)
    assert not any(SEED in text or consumer["secret"] in text for text in before)
    age_keys(db)
    run(db, settings)
    assert all(text.startswith("2:gAAAA") for text in kept(identity))
    assert key_ids(db) == [2, 1], "a transaction that is under way may still seal with the old one"
    age_keys(db, timedelta(hours=2))
    run(db, settings)
    assert key_ids(db) == [2]
    assert blobs(identity) == [SEED] * 3
    after = kept(identity)
    run(db, settings)
    assert kept(identity) == after, "nothing is sealed anew without need"


def test_a_new_key_at_once(identity: Identity) -> None:
    """As `pileus rotate-keys` makes it."""
    identity.make("/credentials", {"credential": {"type": "totp", "blob": SEED}})
    with identity.app.db.write() as tx:
        sealing.rotate(tx, identity.app.settings)
    assert blobs(identity) == [SEED]
    run(identity.app.db, identity.app.settings)
    assert kept(identity)[0].startswith("2:")
    assert blobs(identity) == [SEED]


def test_more_than_one_batch(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BATCH", 2)
    for _ in range(5):
        identity.make("/credentials", {"credential": {"type": "totp", "blob": SEED}})
    age_keys(identity.app.db)
    run(identity.app.db, identity.app.settings)
    assert all(text.startswith("2:") for text in kept(identity))
    assert blobs(identity) == [SEED] * 5


def test_the_start_seals_what_came_before_there_were_seals(identity: Identity) -> None:
    identity.make("/credentials", {"credential": {"type": "totp", "blob": SEED}})
    db, settings = identity.app.db, identity.app.settings
    with db.write() as tx:
        tx.execute(tables.credentials.update().values(blob=SEED))
        bootstrap(tx, settings, "correct horse", [])
    assert kept(identity)[0].startswith("1:gAAAA")
    assert blobs(identity) == [SEED]


def test_another_file_key(identity: Identity) -> None:
    identity.make("/credentials", {"credential": {"type": "totp", "blob": SEED}})
    db, settings = identity.app.db, identity.app.settings
    file = settings.state_dir / sealing.FILE
    assert file.stat().st_mode & 0o777 == 0o600
    old, new = file.read_text(), Fernet.generate_key().decode()
    file.write_text(f"{new}\n{old}")
    restart()
    run(db, settings)
    file.write_text(f"{new}\n")
    restart()
    assert blobs(identity) == [SEED]
    file.write_text(old)
    restart()
    with db.read() as tx, pytest.raises(sealing.WrongKey, match="copy that file"):
        sealing.unseal(tx, settings, kept(identity)[0])


def test_a_machine_without_the_file_says_so(identity: Identity, tmp_path: Path) -> None:
    identity.make("/credentials", {"credential": {"type": "totp", "blob": SEED}})
    with identity.app.db.read() as tx:
        sealing.check(tx, identity.app.settings)
        with pytest.raises(sealing.WrongKey, match="copy that file"):
            sealing.check(tx, Settings(state_dir=tmp_path))
    assert not (tmp_path / sealing.FILE).exists()


def restart() -> None:
    """As a new process has it."""
    sealing._lines.cache_clear()
    sealing._opened.cache_clear()
