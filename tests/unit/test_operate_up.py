"""`pileus up` and `down` with simulated hosts: what can't be is refused in one message, and nothing is left half done."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pileus.core.config import Settings
from pileus.node.diff import Done
from pileus.node.ledger import Ledger, Page, boot_id
from pileus.node.sim import SimulatedHost, kept_guests
from pileus.operate import state, up
from pileus.operate.down import down
from pileus.operate.options import OptionError
from tests.sim.test_agent import FACTS
from tests.support.command import Command, free_port, processes_of, until
from tests.unit.test_diff import spec


@pytest.fixture
def pileus(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path / "home", tmp_path / "state")
    yield command
    command("down", "--purge")


def nothing_left(pileus: Command) -> None:
    assert processes_of(pileus.state_dir) == []
    assert not pileus.state_dir.exists()
    assert not (pileus.home / ".config/openstack/clouds.yaml").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["up", "--simm"], "--simm"),
        (["up", "--port", "many"], "'many'"),
        (["up", "--sim", "--port", "0"], "port is 0"),
        (["up", "--sim", "--sim-hosts", "0"], "sim_hosts is 0"),
        (["up", "--sim", "--host", "localhost"], "host is 'localhost'"),
        (["up", "--sim", "--host", "0.0.0.0"], "name one address"),
        (["up", "--sim", "--host", "127.0.0.1", "--external-address", "public"], "external_address is 'public'"),
        (["up", "--sim", "--config", "/no/such/file"], "/no/such/file"),
        (["up", "--sim", "--config", "/"], "can't be read"),
        (["down", "--everything"], "--everything"),
        (["launch"], "launch"),
    ],
)
def test_what_cannot_be_is_refused(pileus: Command, words: list[str], says: str) -> None:
    assert says in pileus.refused(*words)
    nothing_left(pileus)


def test_a_port_in_use(pileus: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = pileus.refused("up", "--sim", "--port", str(port))
    assert f"port {port} on 127.0.0.1 is in use by" in said
    assert f"pid {os.getpid()}" in said
    nothing_left(pileus)


def test_a_state_directory_of_another_version(pileus: Command) -> None:
    pileus.state_dir.mkdir()
    (pileus.state_dir / "state.json").write_text(json.dumps({"layout": 99, "mode": "sim"}))
    assert "is of layout 99" in pileus.refused("up", "--sim")
    assert [file.name for file in pileus.state_dir.iterdir()] == ["state.json"]
    (pileus.state_dir / "state.json").write_text("{")
    assert "damaged" in pileus.refused("up", "--sim")


def test_a_directory_of_somebody_else_is_left_alone(pileus: Command) -> None:
    pileus.state_dir.mkdir()
    (pileus.state_dir / "thesis.tex").write_text("years of work")
    assert "not a state directory of Pileus" in pileus.refused("up", "--sim")
    assert "left alone" in pileus.refused("down", "--purge")
    assert (pileus.state_dir / "thesis.tex").exists()


def test_options_may_be_there_before_the_first_start(pileus: Command) -> None:
    pileus.state_dir.mkdir()
    (pileus.state_dir / "pileus.toml").write_text("port = 70000\n")
    assert "pileus.toml, line 1: port is 70000" in pileus.refused("up", "--sim")
    assert [file.name for file in pileus.state_dir.iterdir()] == ["pileus.toml"]
    (pileus.state_dir / "pileus.toml").write_text(f"port = {free_port()}\n")
    pileus.ok("up", "--sim")
    pileus.ok("down", "--purge")


def test_a_file_for_a_state_directory(pileus: Command) -> None:
    pileus.state_dir.write_text("")
    assert "not a directory" in pileus.refused("up", "--sim")
    pileus.state_dir.unlink()


def test_a_state_directory_that_cannot_be_made(pileus: Command) -> None:
    inside = Command(pileus.home, Path("/proc/pileus"))
    assert "can't be made" in inside.refused("up", "--sim", "--port", str(free_port()))


def test_real_mode_without_root(pileus: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(OptionError, match="Real guests need root"):
        up.up(Settings(state_dir=pileus.state_dir, port=free_port()))
    nothing_left(pileus)


def test_a_missing_package_is_named(pileus: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pileus.supervise import packages

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    lacking = tmp_path / "packages.txt"
    lacking.write_text("no-such-package no-such-program\n")
    monkeypatch.setattr(packages, "LIST", lacking)
    with pytest.raises(OptionError, match=r"apt-get install .*no-such-package"):
        up.up(Settings(state_dir=pileus.state_dir, port=free_port()))
    nothing_left(pileus)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", ["state.json", "run/pileus.json", "run/host-token", "pileus.db"])
def test_an_interrupted_start_leaves_nothing(pileus: Command, step: str, number: signal.Signals) -> None:
    starting = pileus.begin("up", "--sim", "--port", str(free_port()))
    until(lambda: (pileus.state_dir / step).exists() or starting.poll() is not None)
    starting.send_signal(number)
    _, said = starting.communicate(timeout=30)
    assert starting.returncode == 130, said
    assert "Traceback" not in said
    nothing_left(pileus)


@pytest.mark.slow
def test_an_interrupted_second_start_keeps_the_state(pileus: Command) -> None:
    port = str(free_port())
    pileus.ok("up", "--sim", "--port", port)
    pileus.ok("down")
    starting = pileus.begin("up", "--sim", "--port", port)
    until(lambda: bool(processes_of(pileus.state_dir)[1:]))
    starting.send_signal(signal.SIGINT)
    starting.communicate(timeout=30)
    assert processes_of(pileus.state_dir) == []
    assert (pileus.state_dir / "pileus.db").exists()
    pileus.ok("up", "--sim", "--port", port)


def test_up_again_is_up_and_other_options_are_refused(pileus: Command) -> None:
    port = str(free_port())
    pileus.ok("up", "--sim", "--port", port)
    pileus.ok("up", "--sim", "--port", port)
    said = pileus.refused("up", "--sim", "--port", port, "--region", "Elsewhere")
    assert "with region = RegionOne, not Elsewhere" in said


@pytest.mark.slow
def test_up_before_what_stands_in_front_of_it(pileus: Command, tmp_path: Path) -> None:
    config = tmp_path / "pileus.toml"
    config.write_text(f'public_url = "http://127.0.0.1:{free_port()}"\n')
    pileus.ok("up", "--sim", "--port", str(free_port()), "--config", str(config))
    assert "simulated" in pileus.ok("status")


@pytest.mark.slow
def test_killed_and_up_again(pileus: Command) -> None:
    port = str(free_port())
    pileus.ok("up", "--sim", "--port", port)
    pid = json.loads((pileus.state_dir / "run/pileus.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    assert "is not running" in pileus("status").stdout
    pileus.ok("up", "--sim", "--port", port)
    assert "Pileus is down" in pileus.ok("down")
    assert processes_of(pileus.state_dir) == []
    assert "was not running" in pileus.ok("down")


@pytest.mark.slow
def test_purge_leaves_clouds_of_others_alone(pileus: Command) -> None:
    clouds = pileus.home / ".config/openstack/clouds.yaml"
    clouds.parent.mkdir(parents=True)
    clouds.write_text("clouds:\n  elsewhere:\n    region_name: X\n")
    pileus.ok("up", "--sim", "--port", str(free_port()))
    assert "pileus" in clouds.read_text()
    pileus.ok("down", "--purge")
    assert "pileus" not in clouds.read_text()
    assert "elsewhere" in clouds.read_text()


@pytest.mark.slow
def test_status_without_a_terminal(pileus: Command) -> None:
    pileus.ok("up", "--sim", "--port", str(free_port()))
    until(lambda: pileus("status").returncode == 0)
    done: subprocess.CompletedProcess[str] = pileus("status")
    assert "\x1b" not in done.stdout
    assert "Nothing is wrong." in done.stdout


def test_down_with_guests_where_nothing_was_started(pileus: Command) -> None:
    assert "was not running" in pileus.ok("down", "--guests")


def test_down_with_guests_ends_simulated_ones_and_the_next_agent_starts_them(tmp_path: Path) -> None:
    place = tmp_path / "state"
    state.prepare(place, "sim")
    memory = place / "sim" / "h1" / "guests"
    SimulatedHost(FACTS, memory=memory).start(spec(id="a"))
    ledger = Ledger(place / "sim" / "h1")
    ledger.save(Page(done={"a": Done(generation=5, disk=True)}, boot_id=boot_id()))
    down(place, guests=True)
    assert kept_guests(memory)["a"].guest.state == "stopped"
    assert ledger.load().done["a"].generation == 0
