"""A running cloud outgrows its SQLite file: its rows go to a PostgreSQL, its guests stay where they are."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from pileus.operate import move
from tests.processes.processes import Processes
from tests.support.command import until

pytestmark = pytest.mark.slow


def rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for table in move.tables()
        }
    engine.dispose()
    return found


def move_words(cloud: Processes, url: str) -> tuple[str, ...]:
    return "database", "move", str(cloud.pileus.state_dir / "pileus.db"), url


def test_a_running_cloud_moves_and_its_guests_stay(small_cloud: Processes) -> None:
    token = small_cloud.token(small_cloud.first)
    before = small_cloud.boot(small_cloud.first, token, "before")
    until(lambda: small_cloud.status(small_cloud.first, token, before) == "ACTIVE", what="the server is ACTIVE")
    (small_cloud.pileus.state_dir / "pileus.toml").write_text("# our cloud\ntoken_hours = 2.0\n")
    guests = {file: file.stat().st_mtime for file in small_cloud.pileus.state_dir.glob("sim/*/guests*")}

    done = small_cloud.pileus.run(*move_words(small_cloud, small_cloud.database))
    assert done.returncode == 0, done.stderr
    assert "The API was away for" in done.stdout

    assert small_cloud.call("GET", small_cloud.first, "/compute/v2.1/servers", token).status_code == 200, (
        "tokens are valid still"
    )
    assert small_cloud.status(small_cloud.first, token, before) == "ACTIVE"
    assert {
        file: file.stat().st_mtime for file in small_cloud.pileus.state_dir.glob("sim/*/guests*")
    }.keys() == guests.keys()
    after = small_cloud.boot(small_cloud.first, token, "after")
    until(lambda: small_cloud.status(small_cloud.first, token, after) == "ACTIVE", what="the server is ACTIVE")
    assert (
        (small_cloud.pileus.state_dir / "pileus.toml")
        .read_text()
        .startswith("# our cloud\ntoken_hours = 2.0\ndatabase = ")
    )
    assert not (small_cloud.pileus.state_dir / "pileus.db").exists()
    small_cloud.pileus.ok("down")
    small_cloud.pileus.ok("up", "--sim", "--port", small_cloud.first.rsplit(":")[-1])
    assert small_cloud.status(small_cloud.first, token, after) == "ACTIVE", "the next start uses the new database"


def test_every_row_arrives_as_it_was(small_cloud: Processes) -> None:
    token = small_cloud.token(small_cloud.first)
    server = small_cloud.boot(small_cloud.first, token, "ключ 🔑")
    until(lambda: small_cloud.status(small_cloud.first, token, server) == "ACTIVE", what="the server is ACTIVE")
    small_cloud.pileus.ok("down")
    old = rows(f"sqlite:///{small_cloud.pileus.state_dir}/pileus.db")
    done = small_cloud.pileus.run(*move_words(small_cloud, small_cloud.database))
    assert done.returncode == 0, done.stderr
    assert rows(small_cloud.database) == old


def test_what_cannot_be_is_refused_and_the_cloud_goes_on(small_cloud: Processes, tmp_path: Path) -> None:
    def refused(*words: str) -> str:
        done = small_cloud.pileus.run(*words)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr, done.stderr
        return done.stderr

    assert "is not there" in refused("database", "move", str(tmp_path / "no.db"), small_cloud.database)
    assert "does not answer" in refused(*move_words(small_cloud, f"postgresql+psycopg://nobody@/none?host={tmp_path}"))
    assert "is not postgresql+psycopg" in refused(*move_words(small_cloud, "mysql://root:secret@/x"))
    assert "secret" not in refused(*move_words(small_cloud, "mysql://root:secret@/x"))
    engine = sa.create_engine(small_cloud.database)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE somebody (id int)"))
    assert "is not empty" in refused(*move_words(small_cloud, small_cloud.database))
    engine.dispose()
    until(lambda: small_cloud.answers(small_cloud.first))
