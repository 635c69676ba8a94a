"""W02 as far as the doctor goes: priority tags on an uplink, which captures hide, are counted."""

import os
import socket
from collections.abc import Iterator

import pytest

from pileus.doctor import uplink
from tests.hosts.supervise_host import own_network

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", autouse=True)
def cable() -> Iterator[None]:
    if os.geteuid():
        pytest.skip("needs root")
    from pyroute2 import IPRoute

    with own_network():
        with IPRoute() as ip:
            ip.link("add", ifname="card0", kind="veth", peer="switch0")
            for name in ("card0", "switch0"):
                ip.link("set", index=ip.link_lookup(ifname=name)[0], state="up")
        yield


def frame(*tag: int) -> bytes:
    return b"\xff" * 6 + b"\x02\0\0\0\0\1" + bytes(tag) + b"\x88\xb5" + b"\0" * 46


@pytest.mark.parametrize(
    ("sent", "tagged"),
    [
        (frame(), False),
        (frame(0x81, 0, 0xA0, 0), True),
        (frame(0x81, 0, 0, 0), True),
        (frame(0x81, 0, 0, 7), False),
        (frame(0x81, 0, 0xA0, 7), False),
    ],
    ids=["untagged", "priority 5", "priority 0", "VLAN 7", "priority 5 on VLAN 7"],
)
def test_priority_tags(sent: bytes, tagged: bool) -> None:
    with uplink.listen("card0") as ear, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as switch:
        switch.bind(("switch0", 0))
        for _ in range(3):
            switch.send(sent)
        found, heard = uplink.priority_tagged(ear, 0.3)
    assert heard >= 3
    assert found == (3 if tagged else 0)
