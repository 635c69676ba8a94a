"""What guests send and expect: pings, connections, DHCP conversations, raw frames."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from ipaddress import ip_address
from typing import Any, Protocol

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from tests.support.lab import Guest, until

BROADCAST = "ff:ff:ff:ff:ff:ff"


class HasSockets(Protocol):
    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket: ...


def ping(source: HasSockets, address: str, timeout: float = 1.0, size: int = 8) -> bool:
    """One echo request; True if the answer comes in time."""
    v6 = ip_address(address).version == 6
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if v6 else (socket.AF_INET, socket.IPPROTO_ICMP)
    body = struct.pack(">HH", 77, 1) + bytes(size)
    head = struct.pack(">BBH", 128 if v6 else 8, 0, 0 if v6 else _checksum(struct.pack(">BBH", 8, 0, 0) + body))
    with closing(source.socket(family, socket.SOCK_RAW, protocol)) as raw:
        deadline = time.monotonic() + timeout
        try:
            raw.sendto(head + body, (address, 0))
            while (left := deadline - time.monotonic()) > 0:
                raw.settimeout(left)
                answer, sender = raw.recvfrom(65536)
                kind = answer[0] if v6 else answer[20]
                if sender[0] == address and kind == (129 if v6 else 0):
                    return True
        except OSError:
            pass
    return False


def answers(source: HasSockets, address: str, patience: float = 60.0) -> None:
    """Pings until an answer comes."""
    until(lambda: ping(source, address, 0.3), patience, f"an answer of {address}")


def silent(source: HasSockets, address: str, patience: float = 30.0) -> bool:
    """Three pings in a row remain unanswered, at the latest when the switch has forgotten what it had cached."""
    deadline = time.monotonic() + patience
    while any(ping(source, address, 0.3) for _ in range(3)):
        if time.monotonic() > deadline:
            return False
    return True


@contextmanager
def listening(guest: HasSockets, port: int) -> Iterator[None]:
    """Accepts TCP connections on all addresses."""
    with closing(guest.socket(socket.AF_INET, socket.SOCK_STREAM)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("", port))
        server.listen(16)
        yield


def connects(source: HasSockets, address: str, port: int, timeout: float = 1.0) -> bool:
    with closing(source.socket(socket.AF_INET, socket.SOCK_STREAM)) as client:
        client.settimeout(timeout)
        try:
            client.connect((address, port))
        except OSError:
            return False
        return True


def received(raw: socket.socket, matches: Callable[[Packet], bool], timeout: float = 1.0) -> Packet | None:
    """The first frame that fits."""
    deadline = time.monotonic() + timeout
    while (left := deadline - time.monotonic()) > 0:
        raw.settimeout(left)
        try:
            frame = Ether(raw.recv(65536))
        except TimeoutError:
            break
        if matches(frame):
            return frame
    return None


def dhcp(guest: Guest, timeout: float = 60.0) -> dict[str, Any]:
    """Discover, offer, request, acknowledge. The options of the acknowledgement, with `address` and `frame`."""
    with closing(guest.wire()) as raw:
        offer = until(lambda: _ask(raw, guest.mac, [("message-type", "discover")]), timeout, "a DHCP offer")
        address = offer[BOOTP].yiaddr
        server = _options(offer)["server_id"]
        wish = [("message-type", "request"), ("requested_addr", address), ("server_id", server)]
        answer = until(lambda: _ask(raw, guest.mac, wish), timeout, "a DHCP acknowledgement")
        return {**_options(answer), "address": answer[BOOTP].yiaddr, "frame": answer}


def _ask(raw: socket.socket, mac: str, options: list[Any]) -> Packet | None:
    wanted = [("param_req_list", [1, 3, 6, 15, 26, 51, 54, 121, 42])]
    chaddr = bytes.fromhex(mac.replace(":", ""))
    raw.send(
        bytes(
            Ether(src=mac, dst=BROADCAST)
            / IP(src="0.0.0.0", dst="255.255.255.255")
            / UDP(sport=68, dport=67)
            / BOOTP(chaddr=chaddr, xid=0x50494C45, flags=0x8000)
            / DHCP(options=[*options, *wanted, "end"])
        )
    )
    return received(raw, lambda frame: DHCP in frame and frame[UDP].dport == 68 and frame[BOOTP].op == 2, 0.5)


def _options(answer: Packet) -> dict[str, Any]:
    options = (option for option in answer[DHCP].options if isinstance(option, tuple))
    return {name: values[0] if len(values) == 1 else list(values) for name, *values in options}


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def checksums_right(frame: Packet) -> bool:
    """IP and UDP checksums on the wire are right; UDP over IPv4 may go without, and says so by 0 (RFC 768)."""
    again = Ether(bytes(frame))
    sent = (again[IP].chksum, again[UDP].chksum)
    del again[IP].chksum, again[UDP].chksum
    computed = Ether(bytes(again))
    return sent[0] == computed[IP].chksum and sent[1] in (0, computed[UDP].chksum)


def resolve(source: HasSockets, name: str, server: str, timeout: float = 0.5) -> str | None:
    """The first IPv4 address that the server answers."""
    with closing(source.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
        client.settimeout(timeout)
        client.sendto(bytes(DNS(id=7, rd=1, qd=DNSQR(qname=name))), (server, 53))
        try:
            answer = DNS(client.recv(4096))
        except OSError:
            return None
        return str(answer.an[0].rdata) if answer.ancount else None
