"""Steps, as the probe (probe/crash_probe.py) names them, and the orders that it is given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec

PROBE = Path(__file__).parent / "probe"


class Step(msgspec.Struct, frozen=True):
    role: str
    """api, agent, or the command."""
    kind: str
    """commit, file, send, answer, request, answering, libvirt, ovn"""
    point: str
    """before or after it happens"""
    key: str
    """All of these, what it is about, and the functions of Pileus that it comes from, innermost first."""
    nth: int
    """Of the crossings with this key in one run, by one process."""

    def __str__(self) -> str:
        return f"{self.key} #{self.nth}"


class Fired(msgspec.Struct):
    """What the probe wrote down before it did what it was told."""

    role: str
    kind: str
    point: str
    key: str
    nth: int
    pid: int
    at: float


FAULTS = {
    ("commit", "before"): ("kill", "full", "cut", "restart"),
    ("commit", "after"): ("kill", "cut", "restart"),
    ("file", "before"): ("kill", "full"),
    ("send", "before"): ("kill", "cut"),
    ("answer", "after"): ("kill", "cut"),
    ("libvirt", "before"): ("error", "kill", "libvirtd", "ovsdb", "ovs-vswitchd"),
    ("ovn", "before"): ("error", "kill", "ovn-nb", "ovn-sb", "ovn-northd", "ovn-controller"),
}
"""What can happen at a step; a process can be killed at any."""


REFUSALS = ("error", "full", "cut")
"""Where nothing is killed."""
ANY = frozenset().union(*FAULTS.values(), ("torn",))


def faults(step: Step, database: str) -> tuple[str, ...]:
    """`full`: the disk is. `torn`: killed when the file is there and nothing in it. `cut`: the connection is lost.
    `restart`: of PostgreSQL. `error`: what was called refuses. A daemon's name: it is killed just before it is asked."""
    found = FAULTS.get((step.kind, step.point), ("kill",))
    if step.kind == "file" and " open " in step.key:
        found = (*found, "torn")
    if " remove " in step.key or " rmdir " in step.key:
        found = ("kill",)  # what makes room never lacks it
    unlike = {"sqlite": ("cut", "restart"), "postgresql": ("full",)}[database] if step.kind == "commit" else ()
    return tuple(fault for fault in found if fault not in unlike)


class Control:
    """The directory by which the probes in all processes of a cloud are told what to do."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self._run = 0

    def environment(self, state_dir: Path, before: str) -> dict[str, str]:
        """What makes a process load the probe; `before` is its PYTHONPATH."""
        return {
            "PYTHONPATH": f"{PROBE}:{before}",
            "PILEUS_CRASH_CONTROL": str(self.directory),
            "PILEUS_CRASH_STATE": str(state_dir),
        }

    def record(self) -> None:
        self._arm(fault=None)

    def fault(self, step: Step, fault: str) -> None:
        self._arm(fault=fault, key=step.key, nth=step.nth)

    def rest(self) -> None:
        (self.directory / "arm.json").unlink(missing_ok=True)

    def steps(self) -> list[Step]:
        """What the recording run took, in order."""
        return list(self._lines(self.directory / f"steps-{self._run}"))

    def fired(self) -> Fired | None:
        file = self.directory / f"fired-{self._run}"
        return msgspec.json.decode(file.read_bytes(), type=Fired) if file.exists() else None

    def _arm(self, **order: object) -> None:
        self._run += 1
        new = self.directory / "arm.new"
        new.write_text(json.dumps({"run": str(self._run), **order}))
        new.replace(self.directory / "arm.json")

    def _lines(self, file: Path) -> Iterator[Step]:
        if file.exists():
            for line in file.read_bytes().splitlines():
                yield msgspec.json.decode(line, type=Step)
