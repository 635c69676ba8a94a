"""The way of tunnels between hosts where Open vSwitch works in user space.

Its packets go around the kernel's routing: a tunnel leaves by a bridge that has the host's address on the underlay. The
network card stays as it is, with its address and routes, so nothing that the host does can be cut off: a bridge of our own
looks at the card beside the kernel, takes from it what is addressed to tunnels and the answers to its own ARP requests,
and sends by it. It has the card's MAC address and the host's address, and nothing in the kernel leads to it.

A kernel with Open vSwitch carries tunnels itself.
"""

import json
import subprocess
from dataclasses import dataclass
from ipaddress import ip_interface
from pathlib import Path
from socket import AF_INET
from typing import Any

from pyroute2 import IPRoute

from pileus.core.config import TUNNEL_BRIDGE
from pileus.supervise import ovs

GENEVE_PORT = 6081
_NO_PREFIX_ROUTE = 0x200
_IFF_UP, _IFF_NOARP = 0x1, 0x80
_PATIENCE = 5.0
"""Seconds that ovs-vswitchd may take to see an address that the kernel has."""


@dataclass(frozen=True)
class _Card:
    """The interface that has the host's address."""

    name: str
    mac: str
    interface: str
    """Address with prefix length."""
    gateway: str | None


def ensure(state_dir: Path, address: str) -> None:
    """Tunnels from this address can be used; to be called whenever ovs-vswitchd has started. Raises OSError."""
    if ovs.datapath_type(state_dir) == "system":
        return
    if ":" in address:
        raise OSError(f"tunnels in user space need an IPv4 address, and this host's is {address}")
    with IPRoute() as ip:
        card = _card(ip, address)
        mac = f"other-config:hwaddr={json.dumps(card.mac)}"
        ovs.ensure_bridge(state_dir, TUNNEL_BRIDGE, "fail_mode=secure", mac)
        ovs.vsctl(state_dir, "--may-exist", "add-port", TUNNEL_BRIDGE, card.name)
        _address(ip, card)
    _flows(state_dir, card)
    _route(state_dir, str(ip_interface(card.interface).network))
    if card.gateway:
        _route(state_dir, "0.0.0.0/0", card.gateway)


def _card(ip: IPRoute, address: str) -> _Card:
    names = {link["index"]: link for link in ip.get_links()}
    for found in ip.get_addr(family=AF_INET, address=address):
        link = names[found["index"]]
        if link.get_attr("IFLA_IFNAME") != TUNNEL_BRIDGE:
            return _Card(
                link.get_attr("IFLA_IFNAME"),
                link.get_attr("IFLA_ADDRESS"),
                f"{address}/{found['prefixlen']}",
                _gateway(ip, link["index"]),
            )
    raise OSError(f"no interface of this host has the address {address}, from which its tunnels should go")


def _gateway(ip: IPRoute, index: int) -> str | None:
    routes: list[Any] = [route for route in ip.get_default_routes(AF_INET) if route.get_attr("RTA_OIF") == index]
    return routes[0].get_attr("RTA_GATEWAY") if routes else None


def _address(ip: IPRoute, card: _Card) -> None:
    """The bridge's device has the host's address, for Open vSwitch to see, and neither answers nor leads anywhere."""
    Path(f"/proc/sys/net/ipv6/conf/{TUNNEL_BRIDGE}/disable_ipv6").write_text("1")
    index = ip.link_lookup(ifname=TUNNEL_BRIDGE)[0]
    ip.link("set", index=index, flags=_IFF_UP | _IFF_NOARP, change=_IFF_UP | _IFF_NOARP)
    has = ip_interface(card.interface)
    ip.addr("replace", index=index, address=str(has.ip), prefixlen=has.network.prefixlen, flags=_NO_PREFIX_ROUTE)


def _flows(state_dir: Path, card: _Card) -> None:
    flows = [
        "delete",
        f"add in_port={card.name},arp,arp_op=2,actions=LOCAL",
        f"add in_port={card.name},udp,tp_dst={GENEVE_PORT},actions=LOCAL",
        f"add in_port=LOCAL,actions=output:{card.name}",
    ]
    switch = f"unix:{ovs.run_dir(state_dir) / TUNNEL_BRIDGE}.mgmt"
    command = ["ovs-ofctl", "--bundle", "add-flows", switch, "-"]
    run = subprocess.run(command, input="\n".join((*flows, "")), capture_output=True, text=True, timeout=10)
    if run.returncode:
        raise OSError(f"{' '.join(command)} failed: {run.stderr.strip()}")


def _route(state_dir: Path, destination: str, *gateway: str) -> None:
    """In Open vSwitch's own table, which goes before the kernel's for its packets."""
    command = ["ovs/route/add", destination, TUNNEL_BRIDGE, *gateway]
    run = ovs.switch_told(state_dir, *command, wanted=lambda run: run.returncode == 0, patience=_PATIENCE)
    if run.returncode:
        raise OSError(f"{' '.join(run.args)} failed: {run.stderr.strip()}")
