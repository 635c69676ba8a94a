"""The host agent's loop: fetch, diff, act, report. Knows no libvirt.

Three kinds of threads share one picture: the fetcher long-polls the spec, workers carry out one guest each, the reporter
sends what has changed and a heartbeat. Each may fail and goes on; the control plane may be away for any time.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import structlog

from pileus.node.client import ControlPlane, Refused
from pileus.node.desired import GuestSpec, GuestStatus, HostStatus
from pileus.node.diff import Done, Step, after, finished, next_step
from pileus.node.host import Host, HostAway, HostError, Seen
from pileus.node.ledger import Ledger

log = structlog.get_logger("pileus.agent")
LONG_POLL = 40.0
"""Seconds for which it waits for a spec. It counts as down 60 s after it asked last, and proxies cut at 50 or 60."""
RETRY = (0.05, 0.05, 0.1, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the next try while the control plane, or the hypervisor, is away."""
_HYPERVISOR_AWAY = (*RETRY, 5.0, 10.0, 10.0)
"""For as long as its supervisor may take to start it again."""
STUCK = 30.0
"""Seconds without a look at the host, after which it does not ask for its spec any more, and so counts as down."""
SOON = 10.0
"""Seconds after which it says at the latest that it knows a new spec, where nothing else is to be said."""
_LOOK = 5.0
"""Seconds between two looks at the host where it did not wake us."""
_AGAIN = 1.0
"""Seconds after a failed removal in which it is not tried again."""
_AT_MOST = 300.0
"""Seconds after which a NIC that could not be plugged, or unplugged, is tried again, where that failed often."""
_AWAY = (httpx.TransportError, Refused)


@dataclass
class Fault:
    """Why a guest could not be brought to a generation of its spec."""

    generation: int
    reason: str
    pause: float
    """Seconds after which it is tried again."""
    at: float = field(default_factory=time.monotonic)

    def holds(self, guest: GuestSpec) -> bool:
        return self.generation == guest.generation


class Agent:
    def __init__(self, host: Host, control: ControlPlane, ledger: Ledger, workers: int = 8) -> None:
        self.host, self.control, self.ledger = host, control, ledger
        self.page = ledger.load()
        self._lock = threading.RLock()
        self._looking = threading.Lock()
        self._changed = threading.Event()
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="guest")
        self._busy: dict[str, str] = {}
        self._faults: dict[str, Fault] = {}
        self._stayed: dict[str, float] = {}
        """Guests that could not be removed, and when."""
        self._is_written = True
        """Whether the ledger has the spec that we go by."""
        self._seen: dict[str, Seen] = {}
        self._reported: dict[str, GuestStatus] = {}
        self._gone: set[str] = set()
        self._full_due = True
        self._looked = time.monotonic()
        self._told = HostStatus(host="", revision=-1)
        """The last report."""
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        self.host.watch(self._changed.set)
        self._look()
        self.act()
        for target in (self._fetch, self._report):
            thread = threading.Thread(target=target, name=target.__name__.strip("_"), daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        with self._lock:
            self._stop.set()
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._changed.set()
        self.control.close()

    # fetch

    def _fetch(self) -> None:
        self._persist(self._register)
        while not self._stop.is_set():
            self._persist(self._fetch_once)

    def _persist(self, act: Callable[[], None]) -> None:
        """Try until it works or the agent stops."""
        for attempt in range(1 << 30):
            if self._stop.is_set():
                return
            try:
                act()
                return
            except _AWAY as error:
                log.log(30 if attempt == 0 else 10, "the control plane does not answer", reason=str(error))
            except Exception:
                log.exception("the spec could not be fetched")
            self._stop.wait(RETRY[min(attempt, len(RETRY) - 1)])

    def _register(self) -> None:
        self.control.register(self.host.facts())
        self._full_due = True
        self._changed.set()

    def _fetch_once(self) -> None:
        if time.monotonic() - self._looked > STUCK:
            log.error("the host can't be looked at", seconds=round(time.monotonic() - self._looked))
            self._stop.wait(_LOOK)
            return
        known = self.page.spec.revision if self.page.spec and not self._full_due else -1
        spec = self.control.spec(known, LONG_POLL if known >= 0 else 0)
        if spec is None:
            return
        with self._lock:
            self.page.spec, self._is_written = spec, False
        self._write()
        self._changed.set()

    def _write(self) -> None:
        """The spec into the ledger. Where its disk is full the guests go by it all the same: removals make room."""
        try:
            with self._lock:
                self.ledger.save(self.page)
                self._is_written = True
        except OSError as error:
            log.error("the spec could not be written down", reason=str(error))

    # act

    def act(self) -> None:
        """Give each guest that is not as it should be, as it was last seen, to a worker."""
        spec = self.page.spec
        if spec is None:
            return
        self.host.serve_metadata(spec.metadata_ports, spec.guests)
        wanted = {guest.id: guest for guest in spec.guests}
        with self._lock:
            if self._stop.is_set():
                return
            # One that failed before anything of it was there is only in the reports; its removal is waited for too.
            known = set(self._seen) | set(self.page.done) | (set(self._reported) - self._gone)
            for guest_id in [*wanted, *known - set(wanted)]:
                if guest_id not in self._busy and self._is_due(guest_id, wanted):
                    self._busy[guest_id] = "waiting"
                    self._pool.submit(self._drive, guest_id)

    def _is_due(self, guest_id: str, wanted: Mapping[str, GuestSpec]) -> bool:
        guest = wanted.get(guest_id)
        if guest is None:
            return time.monotonic() - self._stayed.get(guest_id, 0.0) >= _AGAIN
        fault = self._faults.get(guest_id)
        if fault and fault.holds(guest) and time.monotonic() - fault.at < fault.pause:
            return False
        done = self._done(guest)
        return done.generation < guest.generation or next_step(guest, self._seen.get(guest_id), done) is not None

    def _drive(self, guest_id: str) -> None:
        """One guest, step by step, always by the newest spec, until nothing is left to do."""
        guest, pauses = None, iter(_HYPERVISOR_AWAY)
        try:
            while not self._stop.is_set():
                guest = self._wanted(guest_id)
                try:
                    if not self._go_on(guest_id, guest):
                        return
                    pauses = iter(_HYPERVISOR_AWAY)
                except HostAway as error:
                    if (pause := next(pauses, None)) is None:
                        raise
                    log.info("the hypervisor is away", guest=guest_id, reason=str(error))
                    self._stop.wait(pause)
        except HostError as error:
            self._fail(guest_id, guest, str(error))
        except Exception as error:
            log.exception("a guest's worker failed", guest=guest_id)
            self._fail(guest_id, guest, f"{type(error).__name__}: {error}")
        finally:
            with self._lock:
                self._busy.pop(guest_id, None)
            self._changed.set()
            if not self._stop.is_set() and self._wanted(guest_id) != guest:
                self.act()

    def _go_on(self, guest_id: str, guest: GuestSpec | None) -> bool:
        """One step; whether there may be another."""
        if guest is None:
            self._remove(guest_id)
            return False
        return self._advance(guest)

    def _fail(self, guest_id: str, guest: GuestSpec | None, reason: str) -> None:
        """Remember why. The same generation is not tried again by itself: who asked for it is told.

        A removal is, in a while, and so is a NIC: its request was answered long ago.
        """
        cause = guest.request_id if guest else None
        log.warning("a guest could not be brought to its spec", guest=guest_id, reason=reason, request_id=cause)
        if guest is None:
            self._stayed[guest_id] = time.monotonic()
            return
        before, pause = self._faults.get(guest_id), math.inf
        if self._busy.get(guest_id) in ("attach_nic", "detach_nic"):
            pause = min(2 * before.pause, _AT_MOST) if before and before.holds(guest) else _AGAIN
        self._faults[guest_id] = Fault(guest.generation, reason, pause)

    def _done(self, guest: GuestSpec) -> Done:
        """A guest without a ledger entry is new here, or its entry was lost: what could destroy data counts as done."""
        known = self.page.done.get(guest.id)
        return known or Done(reboots=guest.reboots, hard_reboots=guest.hard_reboots, rebuilds=guest.rebuilds)

    def _wanted(self, guest_id: str) -> GuestSpec | None:
        spec = self.page.spec
        return next((guest for guest in spec.guests if guest.id == guest_id), None) if spec else None

    def _advance(self, guest: GuestSpec) -> bool:
        """Do the next step; False when there was none."""
        done = self._done(guest)
        step = next_step(guest, self._seen.get(guest.id), done)
        if step is None:
            if done.generation < guest.generation:
                self._faults.pop(guest.id, None)
                self._note(guest.id, finished(guest, done))
            return False
        self._busy[guest.id] = step.verb
        self._changed.set()
        with told(guest.id, guest.request_id, step.verb):
            self._do(step, guest)
        self._note(guest.id, after(step, guest, done))
        self._look_patiently()
        return True

    def _do(self, step: Step, guest: GuestSpec) -> None:
        if step.verb == "attach_nic":
            self.host.attach_nic(guest, next(nic for nic in guest.nics if nic.port_id == step.port_id))
        elif step.verb == "detach_nic":
            self.host.detach_nic(guest, step.port_id or "")
        else:
            getattr(self.host, step.verb)(guest)

    def _note(self, guest_id: str, done: Done) -> None:
        with self._lock:
            self.page.done[guest_id] = done
            self.ledger.save(self.page)

    def _remove(self, guest_id: str) -> None:
        self._busy[guest_id] = "removing"
        with told(guest_id, self.page.spec.leaving.get(guest_id) if self.page.spec else None, "remove"):
            self.host.remove(guest_id)
        with self._lock:
            self.page.done.pop(guest_id, None)
            self._faults.pop(guest_id, None)
            self.ledger.save(self.page)
            self._stayed.pop(guest_id, None)
            self._gone.add(guest_id)
        self._look()

    def _look(self) -> None:
        """One at a time, so that no picture replaces a newer one."""
        with self._looking:
            self._seen = self.host.see()

    def _look_patiently(self) -> None:
        """A step that was done has not failed because the host could not be looked at for a moment."""
        for pause in RETRY:
            try:
                self._look()
                break
            except HostError as error:
                log.info("the host could not be looked at", reason=str(error))
                self._stop.wait(pause)
        else:
            self._look()

    def _remind(self) -> None:
        for guest_id, seen in self._seen.items():
            for port_id in seen.leaving:
                try:
                    self.host.release_nic(guest_id, port_id)
                except HostError as error:
                    log.warning("a guest could not be asked to release a NIC", guest=guest_id, reason=str(error))

    # report

    def _report(self) -> None:
        interval, last, reminded = 10.0, 0.0, 0.0
        while not self._stop.is_set():
            knows = self.page.spec is None or self._told.revision == self.page.spec.revision
            due = last + (interval if knows else min(interval, SOON))
            self._changed.wait(max(0.0, min(due - time.monotonic(), self._looked + _LOOK - time.monotonic())))
            self._changed.clear()
            try:
                self._look()
                self._looked = time.monotonic()
                if not self._is_written:
                    self._write()
                self.act()
                if self.page.spec is None and not self._full_due:
                    continue
                status = self.status()
                news = status.guests or status.gone or status.full or status.problems != self._told.problems
                if news or time.monotonic() >= due:
                    self._send(status)
                    last = time.monotonic()
                interval = self.page.spec.status_interval if self.page.spec else interval
                if time.monotonic() >= reminded + _LOOK:
                    self._remind()
                    reminded = time.monotonic()
            except _AWAY as error:
                log.debug("a report was not taken", reason=str(error))
                self._full_due = True
                self._stop.wait(0.5)
                self._changed.set()
            except Exception:
                log.exception("a report failed")
                self._stop.wait(1.0)

    def _send(self, status: HostStatus) -> None:
        self.control.report(status)
        self._told = status
        self._full_due = self._full_due and not status.full
        with self._lock:
            self._gone -= set(status.gone)
            for guest in status.guests:
                self._reported[guest.id] = guest
            for guest_id in status.gone:
                self._reported.pop(guest_id, None)

    def status(self) -> HostStatus:
        """What has changed since the last report, or all of it when that is due."""
        with self._lock:
            spec, full = self.page.spec, self._full_due and self.page.spec is not None
            guests = tuple(
                status
                for status in (self._status_of(guest) for guest in (spec.guests if spec else ()))
                if full or status != self._reported.get(status.id)
            )
            if full and spec:
                guests += self._leaving({guest.id for guest in spec.guests})
            return HostStatus(
                host=spec.host if spec else "",
                revision=spec.revision if spec else 0,
                full=full,
                guests=guests,
                gone=tuple(sorted(self._gone)),
                used=self.host.used(),
                problems=self.host.problems(),
            )

    def _leaving(self, wanted: set[str]) -> tuple[GuestStatus, ...]:
        """Guests that nobody wants any more and that are not gone yet: their room is not free."""
        return tuple(
            GuestStatus(id=guest_id, generation=0, state=seen.state, step=self._busy.get(guest_id, "waiting"))
            for guest_id, seen in sorted(self._seen.items())
            if guest_id not in wanted
        )

    def _status_of(self, guest: GuestSpec) -> GuestStatus:
        seen = self._seen.get(guest.id)
        done = self._done(guest)
        fault = self._faults.get(guest.id)
        if fault is not None and not fault.holds(guest):
            fault = None
        state = seen.state if seen is not None and seen.has_domain else "building"
        if fault is not None and state == "building":
            state = "failed"
        return GuestStatus(
            id=guest.id,
            generation=done.generation,
            state=state,
            wired=seen.wired if seen else (),
            reboots=done.reboots,
            hard_reboots=done.hard_reboots,
            rebuilds=done.rebuilds,
            fault=fault.reason if fault else None,
            step=self._busy.get(guest.id),
            vnc_port=seen.vnc_port if seen else None,
        )


@contextmanager
def told(guest_id: str, request_id: str | None, step: str) -> Iterator[None]:
    """A line in the log when the step is done; lines that others write meanwhile bear the request's id too."""
    began = time.monotonic()
    with structlog.contextvars.bound_contextvars(guest=guest_id, request_id=request_id):
        yield
        log.info("step done", step=step, ms=round((time.monotonic() - began) * 1000))
