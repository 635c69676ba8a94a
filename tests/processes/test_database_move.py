"""A running cloud outgrows its SQLite file: its rows go to a PostgreSQL, its guests stay where they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from pileus.operate import move
from tests.processes.test_processes import Processes
from tests.support.command import until
from tests.support.postgres import drop_database, new_url

pytestmark = pytest.mark.slow


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Processes]:
    """A cloud on its file, which is to move to `database`."""
    database = new_url("postgresql", tmp_path)
    made = Processes(tmp_path, database)
    try:
        made.pileus.ok("up", "--sim", "--port", made.first.rsplit(":")[-1])
        yield made
    finally:
        made.close()
        drop_database(database)


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


def test_a_running_cloud_moves_and_its_guests_stay(cloud: Processes) -> None:
    token = cloud.token(cloud.first)
    before = cloud.boot(cloud.first, token, "before")
    until(lambda: cloud.status(cloud.first, token, before) == "ACTIVE", what="the server is ACTIVE")
    (cloud.pileus.state_dir / "pileus.toml").write_text("# our cloud\ntoken_hours = 2.0\n")
    guests = {file: file.stat().st_mtime for file in cloud.pileus.state_dir.glob("sim/*/guests*")}

    done = cloud.pileus.run(*move_words(cloud, cloud.database))
    assert done.returncode == 0, done.stderr
    assert "The API was away for" in done.stdout

    assert cloud.call("GET", cloud.first, "/compute/v2.1/servers", token).status_code == 200, "tokens are valid still"
    assert cloud.status(cloud.first, token, before) == "ACTIVE"
    assert {file: file.stat().st_mtime for file in cloud.pileus.state_dir.glob("sim/*/guests*")}.keys() == guests.keys()
    after = cloud.boot(cloud.first, token, "after")
    until(lambda: cloud.status(cloud.first, token, after) == "ACTIVE", what="the server is ACTIVE")
    assert (
        (cloud.pileus.state_dir / "pileus.toml").read_text().startswith("# our cloud\ntoken_hours = 2.0\ndatabase = ")
    )
    assert not (cloud.pileus.state_dir / "pileus.db").exists()
    cloud.pileus.ok("down")
    cloud.pileus.ok("up", "--sim", "--port", cloud.first.rsplit(":")[-1])
    assert cloud.status(cloud.first, token, after) == "ACTIVE", "the next start uses the new database"


def test_every_row_arrives_as_it_was(cloud: Processes) -> None:
    token = cloud.token(cloud.first)
    server = cloud.boot(cloud.first, token, "ключ 🔑")
    until(lambda: cloud.status(cloud.first, token, server) == "ACTIVE", what="the server is ACTIVE")
    cloud.pileus.ok("down")
    old = rows(f"sqlite:///{cloud.pileus.state_dir}/pileus.db")
    done = cloud.pileus.run(*move_words(cloud, cloud.database))
    assert done.returncode == 0, done.stderr
    assert rows(cloud.database) == old


def test_what_cannot_be_is_refused_and_the_cloud_goes_on(cloud: Processes, tmp_path: Path) -> None:
    def refused(*words: str) -> str:
        done = cloud.pileus.run(*words)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr, done.stderr
        return done.stderr

    assert "is not there" in refused("database", "move", str(tmp_path / "no.db"), cloud.database)
    assert "does not answer" in refused(*move_words(cloud, f"postgresql+psycopg://nobody@/none?host={tmp_path}"))
    assert "is not postgresql+psycopg" in refused(*move_words(cloud, "mysql://root:secret@/x"))
    assert "secret" not in refused(*move_words(cloud, "mysql://root:secret@/x"))
    engine = sa.create_engine(cloud.database)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE somebody (id int)"))
    assert "is not empty" in refused(*move_words(cloud, cloud.database))
    engine.dispose()
    assert cloud.answers(cloud.first)
