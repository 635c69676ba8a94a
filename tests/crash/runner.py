"""Makes an operation stop at each of its steps, and compares what comes of it with the uninterrupted run."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Container, Iterator, Sequence
from typing import TypeVar

import httpx
import msgspec
import psutil
import sqlalchemy as sa

from pileus.doctor.patient import NoAnswer
from tests.crash import world
from tests.crash.cloud import Cloud
from tests.crash.operations import Operation, Question
from tests.crash.steps import ANY, Fired, Step, faults

T = TypeVar("T")
PATIENCE = 40.0
"""Seconds in which everything must have come back and be as in the uninterrupted run."""
SETTLE = 15.0
"""Seconds after its end in which an operation must have left the same."""
CURES = 3
"""Times that a user does what is to be done about a failure, where it still is one after a while."""
REAL = 3
"""Times as long over libvirt and OVN: who kills the same daemon often waits for its supervisor, up to 30 s."""
QUIET = 1.3
"""Seconds without a new step after which an operation has ended; what is gathered for a second is written then."""

HISTORY = r"^too much: \+ (core_event|image_task) .*\"(failure|error)\""
"""What is told of a failure to those who ask later."""
CURED = HISTORY + r"|\+ core_event|\+ image_task"
"""Who had to ask again has asked for more."""
TOO_FULL = (413, 507)


class Outcome(msgspec.Struct):
    step: Step
    fault: str
    fired: Fired | None = None
    """None: the step did not come in this run."""
    cured: bool = False
    """The operation failed, the user was told so and did what there is to do."""
    wrong: list[str] = []
    seconds: float = 0.0

    @property
    def verdict(self) -> str:
        if self.wrong:
            return "WRONG"
        if self.fired is None:
            return "not reached"
        return "cured" if self.cured else "same"


class Wrong(Exception):
    """The cloud did not come to what it should be."""


class Runner:
    """One cloud, which the runs of an operation share: each begins with what `prepare` makes, and ends with `clean`."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.database = world.Database(cloud.url)
        self.patience, self.settle = (seconds * (REAL if cloud.real else 1) for seconds in (PATIENCE, SETTLE))
        self.still = self._still()

    def _still(self) -> world.Still:
        """What changes when everything is killed and comes back, and nobody asked for anything."""
        before = self._rows()
        self.cloud.restart()
        time.sleep(QUIET)
        return world.changed_by_itself(before, self._rows())

    def _rows(self) -> world.Rows:
        return self._seen(self.database.rows)

    def _seen(self, look: Callable[[], T]) -> T:
        """What is seen, however often that takes: the fault may come while somebody looks."""
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return look()
            except (sa.exc.OperationalError, NoAnswer) as error:
                if time.monotonic() > deadline:
                    raise Wrong(f"nothing is seen: {error}") from error
                self.cloud.revive()
                time.sleep(0.05)

    def record(self, operation: Operation) -> tuple[list[Step], world.Facts]:
        """The steps of the uninterrupted run, and what it did to the world."""
        before = self._begin(operation)
        self.cloud.control.record()
        try:
            for question in operation.questions():
                answer = question.ask()
                assert answer.status_code < 300, answer.text
            self._until(operation.is_done)
            facts = self._settled(before)
        finally:
            self.cloud.control.rest()
        steps = self.cloud.control.steps()
        operation.clean()
        return steps, facts

    def _begin(self, operation: Operation) -> world.Picture:
        constant = self._rows()
        operation.prepare()
        return world.Picture(constant, self._rows())

    def _settled(self, before: world.Picture) -> world.Facts:
        """What was done, once neither it grows nor a step comes that had not been there; some come every second."""
        known: tuple[int, world.Facts] | None = None
        since = time.monotonic()
        while time.monotonic() - since < QUIET:
            found = len({step.key for step in self.cloud.control.steps()}), self._facts(before)
            if found != known:
                known, since = found, time.monotonic()
            time.sleep(0.1)
        assert known
        return known[1]

    def _facts(self, before: world.Picture) -> world.Facts:
        after = self._rows()
        names = world.Names(before.constant, before.rows, after)
        return world.difference(before.rows, after, names, self.still) + self.cloud.things(names)

    def run(self, operation: Operation, step: Step, fault: str, wanted: world.Facts) -> Outcome:
        """One run with a fault."""
        began = time.monotonic()
        outcome = Outcome(step, fault)
        before = self._begin(operation)
        self.cloud.control.fault(step, fault)
        try:
            for question in operation.questions():
                self.ask(question, fault)
            self._until(lambda: operation.is_done() or operation.has_failed())
            outcome.fired = self._wait_for_fire()
            self._come_back(outcome.fired, fault)
            self._until(lambda: operation.is_done() or operation.has_failed())
            for _ in range(CURES):
                if operation.has_failed():
                    outcome.cured = True
                    for question in operation.cure():
                        self.ask(question)
                    asked = time.monotonic()
                    self._until(lambda: operation.is_done() or time.monotonic() > asked + SETTLE)  # noqa: B023
            self._until(operation.is_done)
            outcome.wrong = self._compare(operation, before, wanted, outcome.cured)
        except (Wrong, AssertionError) as error:
            outcome.wrong = [str(error), *outcome.wrong]
            outcome.fired = self.cloud.control.fired()
        finally:
            self.cloud.control.rest()
        if outcome.fired and (outcome.fired.key, outcome.fired.nth) != (step.key, step.nth):
            outcome.wrong.append(f"another step failed than was chosen: {outcome.fired.key} #{outcome.fired.nth}")
        self.cloud.revive()
        if outcome.wrong:
            self.cloud.restart()
        try:
            operation.clean()
        except (AssertionError, httpx.HTTPError) as error:
            outcome.wrong.append(f"it can't be cleaned up: {error}")
        outcome.seconds = time.monotonic() - began
        return outcome

    def ask(self, question: Question, fault: str = "") -> None:
        """As a client does that looks whether it was heard where it got no answer, and asks again where it was not."""
        deadline, is_lost = time.monotonic() + self.patience, False
        while True:
            try:
                if is_lost and question.taken():
                    return
                answer = question.ask()
                if answer.status_code < 300:
                    return
                reason = f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:300]}"
                is_told = fault == "full" and answer.status_code in TOO_FULL
                if answer.status_code < 500 and answer.status_code not in question.later and not is_told:
                    raise Wrong(f"refused: {reason}")
            except httpx.TransportError as error:
                reason = str(error)
            is_lost = True
            if time.monotonic() > deadline:
                raise Wrong(f"no answer: {reason}")
            self._gone_for_good()
            self.cloud.revive()
            time.sleep(0.05)

    def _gone_for_good(self) -> None:
        """A process that kills itself takes a moment to be gone."""
        fired = self.cloud.control.fired()
        if fired and fired.role == "api":
            try:
                psutil.Process(fired.pid).wait(0.3)
            except (psutil.NoSuchProcess, psutil.TimeoutExpired):
                pass

    def _come_back(self, fired: Fired | None, fault: str) -> None:
        if fired is None:
            return
        if fault in ("kill", "torn"):
            try:
                psutil.Process(fired.pid).wait(5)
            except psutil.NoSuchProcess:
                pass
            except psutil.TimeoutExpired:
                raise Wrong(f"process {fired.pid} should be dead and lives") from None
        self.cloud.revive()

    def _wait_for_fire(self) -> Fired | None:
        deadline = time.monotonic() + QUIET
        while (fired := self.cloud.control.fired()) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        return fired

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self.patience
        while not condition():
            if time.monotonic() > deadline:
                raise Wrong(f"not done after {self.patience:.0f} s")
            self.cloud.revive()
            time.sleep(0.03)

    def _compare(self, operation: Operation, before: world.Picture, wanted: world.Facts, cured: bool) -> list[str]:
        """What differs, once no more time makes it less; and what the audit finds."""
        tolerated = f"{operation.tolerated}|{CURED if cured else HISTORY}"

        def differs() -> list[str]:
            found = world.unlike(wanted, self._facts(before))
            return [each for each in found if not re.search(tolerated, each)]

        deadline = time.monotonic() + self.settle
        while (found := differs()) and time.monotonic() < deadline:
            self.cloud.revive()
            time.sleep(0.1)
        return found + [str(finding) for finding in self._seen(self.cloud.audit)]


def choose(
    steps: Sequence[Step], database: str, seed: object, every: bool, only: Container[str] = ANY
) -> list[tuple[Step, str]]:
    """All steps with all faults; or each call site once, with a fault that the seed deals out. `only`: of these faults."""
    possible = {step: [fault for fault in faults(step, database) if fault in only] for step in steps}
    if every:
        return [(step, fault) for step in steps for fault in possible[step]]
    dice, by_key = random.Random(str(seed)), dict[str, list[Step]]()
    for step in steps:
        if possible[step]:
            by_key.setdefault(step.key, []).append(step)
    return [(step, dice.choice(possible[step])) for step in (dice.choice(same) for same in by_key.values())]


def outcomes(
    runner: Runner, operation: Operation, chosen: Sequence[tuple[Step, str]], wanted: world.Facts
) -> Iterator[Outcome]:
    for step, fault in chosen:
        outcome = runner.run(operation, step, fault, wanted)
        if outcome.verdict == "not reached":
            outcome = runner.run(operation, step, fault, wanted)
        yield outcome
