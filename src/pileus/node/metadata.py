"""The metadata service of this host: 169.254.169.254 and fe80::a9fe:a9fe inside each network, as guests know it.

Each network that has guests here gets a namespace with one interface in the integration bridge. This process opens the
listening sockets inside the namespaces itself. The caller is known by its network and address.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any

import structlog

from pileus.node import metadata_tree, namespace
from pileus.node.desired import GuestSpec, MetadataPort
from pileus.node.host import HostError

log = structlog.get_logger("pileus.metadata")
IPV4 = "169.254.169.254"
IPV6 = "fe80::a9fe:a9fe"
_REMEMBERED = 8
"""Requests of one guest that are kept for who asks what it asked for."""
_PARALLEL = 32
"""Requests of one network that are answered at the same time; the others wait."""
MAX_PASSWORD = 4096


LeavePassword = Callable[[str, bytes], int]
"""(guest id, encrypted password) -> the HTTP status that the guest is given."""


class MetadataServers:
    """`ensure` makes the servers agree with the ports; it is cheap when nothing has changed."""

    def __init__(self, place: namespace.Place, leave_password: LeavePassword) -> None:
        self._place, self._leave_password = place, leave_password
        self._networks: dict[str, _Network] = {}
        self._left = set(namespace.networks(place))
        """Those that have a namespace, of an agent before too."""
        self._guests: Mapping[str, GuestSpec] = {}
        self._asked: dict[str, deque[str]] = {}
        self._failed: dict[str, str] = {}
        self._lock = threading.Lock()

    def ensure(self, ports: Sequence[MetadataPort], guests: Sequence[GuestSpec]) -> None:
        with self._lock:
            self._guests = {guest.id: guest for guest in guests}
            self._asked = {guest: lines for guest, lines in self._asked.items() if guest in self._guests}
            wanted = {port.network_id: port for port in ports}
            for network_id in self._left - set(wanted):
                self._leave(network_id)
            for network_id, port in wanted.items():
                self._ensure(network_id, port)

    def _leave(self, network_id: str) -> None:
        if network_id in self._networks:
            self._networks.pop(network_id).close()
        try:
            namespace.remove(self._place, network_id)
            self._left.discard(network_id)
        except (OSError, HostError) as error:
            log.warning("a network's metadata could not be taken away yet", network=network_id, reason=str(error))

    def _ensure(self, network_id: str, port: MetadataPort) -> None:
        known = self._networks.get(network_id)
        if known is not None and known.same_place(port):
            known.port = port
            return
        if known is not None:
            known.close()
        self._left.add(network_id)
        try:
            sockets = namespace.ensure(self._place, port, (IPV4, IPV6))
            self._networks[network_id] = _Network(port, sockets, self._guest, self._note, self._leave_password)
            self._failed.pop(network_id, None)
        except (OSError, HostError) as error:
            if self._failed.get(network_id) != str(error):
                log.error("metadata can't be served in a network", network=network_id, reason=str(error))
            self._failed[network_id] = str(error)

    def _guest(self, guest_id: str) -> GuestSpec | None:
        return self._guests.get(guest_id)

    def _note(self, guest_id: str, line: str) -> None:
        self._asked.setdefault(guest_id, deque(maxlen=_REMEMBERED)).append(line)

    def asked(self, guest_id: str) -> list[str]:
        """The last requests of a guest: time, path, status."""
        return list(self._asked.get(guest_id, ()))

    def problems(self) -> tuple[str, ...]:
        return tuple(
            f"metadata is not served in network {network}: {reason}" for network, reason in sorted(self._failed.items())
        )

    def close(self) -> None:
        """The sockets end with the process; the namespaces stay for the next one."""
        for network in self._networks.values():
            network.close()


class _Network:
    def __init__(
        self,
        port: MetadataPort,
        sockets: Sequence[socket.socket],
        guest: Any,
        note: Callable[[str, str], None],
        leave_password: LeavePassword,
    ) -> None:
        self.port, self.note, self.leave_password = port, note, leave_password
        self._servers = [_Server(each, self, guest) for each in sockets]

    def same_place(self, port: MetadataPort) -> bool:
        return (port.port_id, port.mac, port.addresses) == (self.port.port_id, self.port.mac, self.port.addresses)

    def guest_id(self, address: str) -> str | None:
        """Whose address this is; a link-local one holds the guest's MAC address."""
        found = ip_address(address.partition("%")[0])
        return self.port.guests.get(str(found))

    def close(self) -> None:
        for server in self._servers:
            server.end()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket, network: _Network, guest: Any) -> None:
        self.network, self.guest = network, guest
        self._room = threading.BoundedSemaphore(_PARALLEL)
        self.address_family = listener.family
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 5}, name="metadata", daemon=True).start()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._room.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a metadata request broke off", client=str(client_address[0]))

    def end(self) -> None:
        """Listen no more, at once; the thread ends by itself. An open socket would keep its namespace alive."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        threading.Thread(target=self._finish, daemon=True).start()

    def _finish(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "Pileus"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        guest_id = self.server.network.guest_id(self.client_address[0])
        guest = self.server.guest(guest_id) if guest_id else None
        if guest is None or guest.documents is None:
            self._send(404, "text/plain", b"This address belongs to no server of this network.\n")
            return
        answer = metadata_tree.answer(guest.documents, self.path)
        if answer is None:
            self._send(404, "text/plain", b"There is no such metadata.\n")
        else:
            self._send(200, *answer)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """A guest leaves its password, encrypted with the user's key, once (OpenStack's metadata service has it so)."""
        guest_id = self.server.network.guest_id(self.client_address[0])
        size = self.headers.get("Content-Length", "")
        if not metadata_tree.is_password(self.path) or guest_id is None:
            self._send(405, "text/plain", b"Metadata can only be read.\n")
        elif not size.isascii() or not size.isdigit() or int(size) > MAX_PASSWORD:
            self._send(400, "text/plain", f"A password has at most {MAX_PASSWORD} bytes.\n".encode())
        else:
            status = self.server.network.leave_password(guest_id, self.rfile.read(int(size)))
            self._send(status, "text/plain", b"")

    def _send(self, status: int, kind: str, body: bytes) -> None:
        guest_id = self.server.network.guest_id(self.client_address[0])
        if guest_id is not None:
            at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self.server.network.note(guest_id, f"{at} {self.path[:80]} {status}")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("metadata", client=self.client_address[0], request=format % args)
