"""Keys of tokens change while tokens are made and looked at: no request fails, in no process."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.errors import Unauthorized
from pileus.services.identity.bootstrap import bootstrap
from pileus.services.identity.rules import tokens
from pileus.services.identity.store import tokens as store
from pileus.services.identity.store import users
from pileus.services.identity.types.tokens import Claims
from tests.support.postgres import DATABASES, new_url

ROTATIONS = 25
HOUR = 3_600_000_000


@pytest.fixture(params=DATABASES)
def processes(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[Database]]:
    """Two engines on one database, as two processes have them."""
    url = new_url(request.param, tmp_path)
    found = [Database(url), Database(url)]
    found[0].create_tables()
    with found[0].write() as tx:
        bootstrap(tx, Settings(), "secret", [])
    yield found
    for db in found:
        db.close()


def issued(db: Database) -> str:
    with db.read() as tx:
        admin = users.by_name(tx, "default", "admin")
        assert admin is not None
        now = tokens.now_stamp()
        ends = now + HOUR
        claims = Claims(
            user_id=admin.id, methods=("password",), issued_at=now, expires_at=ends, audit_ids=(tokens.new_audit_id(),)
        )
        return tokens.issue(tx, claims)[0]


def looked_at(db: Database, token: str) -> None:
    with db.read() as tx:
        tokens.session_of(tx, token)


def test_no_request_fails_while_keys_change(processes: list[Database]) -> None:
    rotated = threading.Event()
    failures: list[BaseException] = []
    made: list[str] = [issued(processes[0])]
    looks = [0]

    def until_rotated(act: Callable[[], None]) -> threading.Thread:
        def work() -> None:
            try:
                while not rotated.is_set():
                    act()
            except BaseException as problem:
                failures.append(problem)

        return threading.Thread(target=work)

    def pass_on() -> None:
        """One process makes a token, the other looks at it at once, and at the first of all."""
        made.append(issued(processes[0]))
        for token in (made[-1], made[0]):
            looked_at(processes[1], token)
            looks[0] += 1

    threads = [until_rotated(pass_on) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(ROTATIONS):
        with processes[1].write() as tx:
            tokens.rotate_keys(tx, Settings())
    rotated.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert looks[0] > 0
    for token in made:
        looked_at(processes[0], token)
    with processes[0].read() as tx:
        assert len(store.keys(tx)) == ROTATIONS + 1


def test_all_tokens_can_be_ended(processes: list[Database]) -> None:
    before = issued(processes[0])
    with processes[1].write() as tx:
        tokens.rotate_keys(tx, Settings())
        tokens.end_all(tx)
    with pytest.raises(Unauthorized):
        looked_at(processes[0], before)
    looked_at(processes[1], issued(processes[0]))


def test_a_key_stays_as_long_as_a_token_may_need_it(processes: list[Database]) -> None:
    db, long = processes[0], Settings(token_hours=24 * 30)
    for days in (40, 20, 0):
        with db.write() as tx:
            tx.now = tx.now - timedelta(days=days)
            tokens.rotate_keys(tx, long)
    with db.write() as tx:
        tokens.rotate_keys(tx, long)
        assert [key.id for key in store.keys(tx)] == [5, 4, 3, 2], (
            "the second came 40 days ago: the first is not needed"
        )
        tokens.rotate_keys(tx, Settings())
        assert [key.id for key in store.keys(tx)] == [6, 5, 4, 3]
