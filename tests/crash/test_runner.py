"""The runner notices what is wrong, finds new steps by itself, and knows which step it was that failed."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.crash import world
from tests.crash.steps import PROBE, Control, Step

CODE = '''
import os, sys
sys.path[:0] = [{probe!r}]
import crash_probe
import pileus.core.db
probe = crash_probe.Probe("api")
crash_probe._watch_files(probe)
crash_probe._watch_commits(probe)

names = {{"__name__": "pileus.services.new"}}
exec("""
def step(folder, db):
    (folder / "new").write_text("something")
    with db.write() as tx:
        tx.scalar(__import__("sqlalchemy").text("SELECT 1"))
    (folder / "new").rename(folder / "old")
""", names)
from pathlib import Path
from pileus.core.db import Database
names["step"](Path({state!r}), Database("sqlite:///" + {state!r} + "/db"))
print("done")
'''
"""A process of Pileus with a function that nobody has told the runner of."""


@pytest.fixture
def control(tmp_path: Path) -> Control:
    (tmp_path / "state").mkdir()
    return Control(tmp_path / "control")


def run(control: Control) -> "subprocess.CompletedProcess[str]":
    state = control.directory.parent / "state"
    environment = os.environ | control.environment(state, os.environ.get("PYTHONPATH", ""))
    code = CODE.format(probe=str(PROBE), state=str(state))
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)


def test_steps_that_nobody_listed_are_found_and_failed_at(control: Control) -> None:
    control.record()
    assert run(control).stdout == "done\n"
    steps = control.steps()
    assert [step.key for step in steps] == [
        "api file before open new services.new.step",
        "api commit before services.new.step",
        "api commit after services.new.step",
        "api file before rename new services.new.step",
    ]
    state = control.directory.parent / "state"
    for step in steps:
        (state / "old").unlink(missing_ok=True)
        (state / "new").unlink(missing_ok=True)
        control.fault(step, "kill")
        assert run(control).returncode == -9
        fired = control.fired()
        assert fired is not None
        assert (fired.key, fired.nth) == (step.key, step.nth)
        assert (state / "new").exists() == (step is not steps[0])
        assert not (state / "old").exists()
        assert run(control).stdout == "done\n", "it fails once"


@pytest.mark.parametrize(
    ("number", "fault", "words"), [(0, "full", "No space left"), (1, "cut", "closed the connection")]
)
def test_faults_that_are_no_kill(control: Control, number: int, fault: str, words: str) -> None:
    control.record()
    run(control)
    control.fault(control.steps()[number], fault)
    assert words in run(control).stderr


def test_a_step_that_does_not_come_is_known_not_to_have_come(control: Control) -> None:
    control.fault(Step("api", "commit", "before", "api commit before services.old.step", 1), "kill")
    assert run(control).stdout == "done\n"
    assert control.fired() is None


def server(key: str, **more: object) -> dict[str, object]:
    return {"id": key, "name": "one", "power": "running", **more}


FIRST, SECOND = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def rows(**tables: list[dict[str, object]]) -> world.Rows:
    return {table: {(row["id"],): dict(row) for row in found} for table, found in tables.items()}


def facts(before: world.Rows, after: world.Rows) -> Counter[str]:
    return world.difference(before, after, world.Names(rows(), before, after), set())


def test_two_runs_that_did_the_same_are_alike_whatever_the_ids() -> None:
    nothing = rows(server=[], port=[])
    one = rows(server=[server(FIRST)], port=[{"id": 1, "device": FIRST}])
    other = rows(server=[server(SECOND)], port=[{"id": 7, "device": SECOND}])
    assert world.unlike(facts(nothing, one), facts(nothing, other)) == []


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (rows(server=[server(SECOND)], port=[]), ["missing: + port"]),
        (rows(server=[server(SECOND, power="off")], port=[{"id": 7, "device": SECOND}]), ['+ server: "power": "off"']),
        (
            rows(server=[server(SECOND)], port=[{"id": 7, "device": SECOND}, {"id": 8, "device": SECOND}]),
            ["too much: + port"],
        ),
        (rows(server=[server(SECOND)], port=[{"id": 7, "device": FIRST}]), ["+ port:"]),
    ],
    ids=["a lost row", "another value", "a row too many", "a reference to nothing"],
)
def test_a_lost_effect_is_seen(after: world.Rows, said: list[str]) -> None:
    nothing = rows(server=[], port=[])
    wanted = facts(nothing, rows(server=[server(FIRST)], port=[{"id": 1, "device": FIRST}]))
    found = world.unlike(wanted, facts(nothing, after))
    assert [line.startswith(begin) for line, begin in zip(found, said, strict=True)] == [True]


def test_what_lies_on_disks_is_compared(tmp_path: Path) -> None:
    guests = tmp_path / "sim/h1/guests"
    guests.mkdir(parents=True)
    (guests / f"{FIRST}.json").write_text(json.dumps({"guest": {"state": "running"}}))
    names = world.Names(rows(), rows(server=[server(FIRST)]))
    wanted = world.files(tmp_path, names)
    assert world.unlike(wanted, world.files(tmp_path, names)) == []
    (guests / f"{FIRST}.json").write_text(json.dumps({"guest": {"state": "stopped"}}))
    assert world.unlike(wanted, world.files(tmp_path, names)) != []
    (guests / f"{FIRST}.json").unlink()
    assert len(world.unlike(wanted, world.files(tmp_path, names))) == 1
