"""`pileus down`: stop what serves; guests and the daemons that carry them go on, unless told otherwise."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import psutil

from pileus.node.ledger import Ledger
from pileus.operate import access, state
from pileus.operate.options import OptionError


class Ended(msgspec.Struct):
    was_running: bool
    guests_going_on: int


def down(state_dir: Path, guests: bool = False, purge: bool = False) -> Ended:
    """Stop Pileus itself. Where no guest is left running, and with `guests` or `purge`, its daemons are stopped too.

    `guests`: they are asked to power down, then made to; the next `up` starts them again. `purge`: nothing is left.
    Raises OptionError where `purge` would remove what is not ours.
    """
    if purge and state_dir.exists() and not state.is_ours(state_dir):
        raise OptionError(f"{state_dir} is not a state directory of Pileus, and is left alone.")
    was_running = stop_serving(state_dir)
    if purge:
        access.forget(state_dir)
    if guests and not purge:
        _stop_guests(state_dir)
    if state.mode(state_dir) == "real":
        _stop_host(state_dir, guests, purge)
    if purge:
        shutil.rmtree(state_dir, ignore_errors=True)
    return Ended(was_running, running_guests(state_dir))


def running_guests(state_dir: Path) -> int:
    """Guests of this machine, whoever watches them; simulated ones end with their agent."""
    if not (state_dir / "run/libvirt").exists():
        return 0
    from pileus.supervise import process

    return len(process.guests(state_dir))


def stop_serving(state_dir: Path) -> bool:
    """The serving process and its host agent, also one that has lost its parent."""
    found = state.running(state_dir)
    if found is not None:
        end(psutil.Process(found.pid), 20)
    for process in state.processes(state_dir):
        end(process, 10)
    return found is not None


def end_strays(state_dir: Path) -> None:
    """A host agent whose Pileus was killed takes a moment to notice; two agents would get into each other's way."""
    for process in state.processes(state_dir):
        if process.pid != os.getpid():
            end(process, 10)


def end(process: psutil.Process, patience: float) -> None:
    try:
        process.terminate()
        process.wait(patience)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(5)
    except psutil.NoSuchProcess:
        pass


def _stop_guests(state_dir: Path) -> None:
    """The next agent starts them again."""
    for ledger in [*state_dir.glob("run/agent/*/ledger.json"), *state_dir.glob("sim/*/ledger.json")]:
        Ledger(ledger.parent).expect_start()
    if state.mode(state_dir) == "real":
        from pileus.operate.guests import power_down

        power_down(state_dir)
    else:
        from pileus.node.sim import end_guests

        for memory in state_dir.glob("sim/*/guests"):
            end_guests(memory)


def _stop_host(state_dir: Path, guests: bool, purge: bool) -> None:
    from pileus.supervise import purge as host

    if purge:
        host.purge(state_dir)
        return
    if guests or not running_guests(state_dir):
        host.stop(state_dir)
