"""libvirt: one connection, opened again when it breaks; its errors as HostError, a lost connection as HostAway; its events as a wake-up. No decisions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import libvirt
import structlog

from pileus.node.host import HostAway, HostError

log = structlog.get_logger("pileus.libvirt")
ALIVE = (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_BLOCKED, libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_SHUTDOWN)
_KEEPALIVE = (5, 2)
"""Seconds between questions, and how many may go unanswered."""
_UNPLUGGED = "to OVS bridge"
"""Of what libvirt says where Open vSwitch did not take a tap: it has no code of its own for that."""
_events_started = False


class Libvirt:
    """`wake` is called when a domain's state has changed, `device_gone` with the domain's UUID when it released a device."""

    def __init__(self, uri: str, wake: Callable[[], None], device_gone: Callable[[str], None]) -> None:
        _start_events()
        self._uri, self._wake, self._device_gone = uri, wake, device_gone
        self._lock = threading.Lock()
        self._connection: Any = None

    @property
    def connection(self) -> Any:
        """Raises HostAway while libvirtd does not answer."""
        with self._lock:
            if self._connection is None or not self._connection.isAlive():
                self._connection = self._open()
            return self._connection

    def _open(self) -> Any:
        try:
            connection = libvirt.open(self._uri)
            connection.setKeepAlive(*_KEEPALIVE)
            connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._on_event, None)
            connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, self._on_device, None)
        except libvirt.libvirtError as error:
            raise HostAway(f"libvirt does not answer at {self._uri}: {error}") from None
        return connection

    def _on_event(self, *_: Any) -> None:
        self._wake()

    def _on_device(self, _: Any, domain: Any, *__: Any) -> None:
        self._device_gone(domain.UUIDString())

    def domain(self, guest_id: str) -> Any:
        """The domain, or None."""
        try:
            return self.connection.lookupByUUIDString(guest_id)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return None
            raise told(error) from None

    def call(self, what: Callable[..., Any], *arguments: Any) -> Any:
        """Raises HostError with libvirt's own words."""
        try:
            return what(*arguments)
        except libvirt.libvirtError as error:
            raise told(error) from None

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                try:
                    self._connection.close()
                except libvirt.libvirtError as error:
                    log.debug("libvirt did not close", reason=str(error))
                self._connection = None


def told(error: libvirt.libvirtError) -> HostError:
    """By whom: libvirtd, or our side of the connection to it, which has ended; Open vSwitch does not answer libvirtd."""
    away = error.get_error_domain() in (libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE) or _UNPLUGGED in str(error)
    return (HostAway if away else HostError)(f"libvirt: {error}")


def _start_events() -> None:
    global _events_started
    if _events_started:
        return
    _events_started = True
    libvirt.registerErrorHandler(lambda *_: None, None)
    libvirt.virEventRegisterDefaultImpl()

    def run() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=run, name="libvirt-events", daemon=True).start()
