"""Asks OVN what it would do with a packet: where it comes out, or what drops it."""

from __future__ import annotations

import re
import subprocess
from ipaddress import ip_address, ip_network

import msgspec

from pileus.services.network.ovn.switches import physical_port_name
from pileus.services.network.ovn.topology import ROUTER_OWNERS, Port, Topology

TIMEOUT = 10.0
_STEP = re.compile(r"^ *\d+\. (?P<stage>\w+)(?: \([^)]*\))?: (?P<match>.*?)(?:, priority \d+, uuid \w+)?$")
_OUTPUT = re.compile(r'/\* output to "(?P<port>[^"]+)", type "(?P<type>[^"]*)" \*/')
_DEAD_ENDS = ("drop;", "/* drop */", "reject")


class Flow(msgspec.Struct, frozen=True):
    """The first packet of a conversation, as it enters a logical switch. `port` is the destination's, for TCP and UDP."""

    network_id: str
    enters: str
    """The logical port's name."""
    mac_source: str
    mac_destination: str
    source: str
    destination: str
    protocol: str = "icmp"
    port: int | None = None

    def expression(self) -> str:
        version = ip_address(self.destination).version
        terms = [
            f'inport == "{self.enters}"',
            f"eth.src == {self.mac_source}",
            f"eth.dst == {self.mac_destination}",
            f"ip{version}.src == {self.source}",
            f"ip{version}.dst == {self.destination}",
            "ip.ttl == 64",
        ]
        if self.protocol == "icmp":
            terms.append("icmp4.type == 8" if version == 4 else "icmp6.type == 128")
        else:
            terms.append(self.protocol if self.port is None else f"{self.protocol}.dst == {self.port}")
        return " && ".join(terms)


class Step(msgspec.Struct):
    """One table of the pipeline: its name, the match of the entry that was hit, what the entry does."""

    stage: str
    match: str
    actions: list[str] = []


class Trace(msgspec.Struct):
    flow: Flow
    reaches: list[str]
    """Names of the ports where the packet leaves OVN: port ids, or physical-<network id>."""
    dropped: Step | None
    asks_for_neighbour: bool
    """A router has to resolve the next hop's MAC address first; what reaches a port is its question."""
    steps: list[Step]
    text: str
    """As ovn-trace printed it."""

    def explain(self) -> str:
        if self.dropped is None:
            where = " and ".join(self.reaches) or "nowhere"
            note = " (a router asks there for the next hop's MAC address)" if self.asks_for_neighbour else ""
            return (
                f"{self.flow.protocol} from {self.flow.source} to {self.flow.destination} comes out at {where}{note}."
            )
        return (
            f"{self.flow.protocol} from {self.flow.source} to {self.flow.destination} is dropped in"
            f" {self.dropped.stage} ({self.dropped.match}): {_reason(self.dropped.stage)}."
        )


class Unknown(ValueError):
    """The packet asked about cannot exist: a port or an address is not there. The text says which."""


def run(southbound: str, flow: Flow) -> Trace:
    """`southbound` as OVN's tools take it. Every connection on the way is taken for a new one. Raises OSError."""
    command = ["ovn-trace", f"--db={southbound}", "--no-friendly-names", *["--ct=new"] * 8]
    try:
        done = subprocess.run(
            [*command, flow.network_id, flow.expression()], capture_output=True, text=True, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        raise OSError(f"ovn-trace did not answer in {TIMEOUT:g} s; is {southbound} the southbound database?") from None
    if done.returncode:
        raise OSError(f"ovn-trace failed: {done.stderr.strip() or done.stdout.strip()}")
    return parse(flow, done.stdout)


def parse(flow: Flow, text: str) -> Trace:
    steps: list[Step] = []
    for line in text.splitlines():
        if found := _STEP.match(line):
            steps.append(Step(found["stage"], found["match"]))
        elif steps and line.startswith(" ") and line.strip():
            steps[-1].actions.append(line.strip())
    reaches = [found["port"] for found in _OUTPUT.finditer(text) if found["type"] != "patch"]
    dead = [step for step in steps if _is_dead_end(step)]
    return Trace(
        flow=flow,
        reaches=list(dict.fromkeys(reaches)),
        dropped=dead[-1] if dead and not reaches else None if reaches else steps[-1] if steps else None,
        asks_for_neighbour=any(re.match(r"(arp|nd_ns) \{", action) for step in steps for action in step.actions),
        steps=steps,
        text=text,
    )


def between(
    topology: Topology, port_id: str, destination: str, protocol: str = "icmp", port: int | None = None
) -> Flow:
    """What a guest's port would send to an address: to a neighbour directly, to all others by the gateway.

    Raises Unknown.
    """
    source = _port(topology, port_id)
    version = ip_address(destination).version
    own = next((address for address in source.addresses() if ip_address(address).version == version), None)
    if own is None:
        raise Unknown(f"Port {port_id} has no IPv{version} address to reach {destination} from.")
    mac = _next_hop(topology, source, destination)
    return Flow(source.network_id, port_id, source.mac_address, mac, own, destination, protocol, port)


def from_outside(
    topology: Topology, destination: str, source: str, protocol: str = "icmp", port: int | None = None
) -> Flow:
    """What comes in by the physical network for a floating IP or a router's address. Raises Unknown."""
    for router in topology.routers:
        gateway = next((port for port in router.ports if port.id == router.gateway_port_id), None)
        served = [floating.floating_ip_address for floating in router.floating_ips]
        if gateway and destination in (*served, *gateway.addresses()):
            enters = physical_port_name(gateway.network_id)
            stranger = "0e:00:00:00:00:01"
            return Flow(gateway.network_id, enters, stranger, gateway.mac_address, source, destination, protocol, port)
    raise Unknown(f"No router serves {destination}: no gateway has it, and no floating IP with a port does.")


def _port(topology: Topology, port_id: str) -> Port:
    for network in topology.networks:
        for port in network.ports:
            if port.id == port_id:
                return port
    raise Unknown(f"There is no port {port_id}.")


def _next_hop(topology: Topology, source: Port, destination: str) -> str:
    """The MAC address that a guest sends to."""
    network = next(network for network in topology.networks if network.id == source.network_id)
    macs = {address: port.mac_address for port in network.ports for address in port.addresses()}
    if destination in macs:
        return macs[destination]
    subnets = {subnet.id: subnet for subnet in network.subnets}
    mine = [subnets[subnet_id] for subnet_id, _ in source.fixed_ips]
    for subnet in mine:
        if ip_address(destination) in ip_network(subnet.cidr):
            raise Unknown(f"No port of network {network.id} has the address {destination}.")
    version = ip_address(destination).version
    gateways = [subnet.gateway_ip for subnet in mine if subnet.ip_version == version and subnet.gateway_ip]
    routers = {
        address: port.mac_address
        for port in network.ports
        if port.device_owner in ROUTER_OWNERS
        for address in port.addresses()
    }
    for gateway in gateways:
        if gateway in routers:
            return routers[gateway]
    raise Unknown(
        f"{destination} is not on network {network.id}, and no router of ours has its gateway"
        f" {' or '.join(gateways) or '(none is set)'}."
    )


def _is_dead_end(step: Step) -> bool:
    if step.match.startswith("no match"):
        return True
    return any(action.startswith(_DEAD_ENDS) or action.endswith("/* drop */") for action in step.actions)


_REASONS = (
    ("ls_in_apply_port_sec", "its MAC or IP address is not the port's own (port security)"),
    ("ls_in_acl", "no security group rule lets it out"),
    ("ls_out_acl", "no security group rule lets it in"),
    ("ls_out_apply_port_sec", "the port does not have this MAC or IP address (port security)"),
    ("ls_in_check_port_sec", "the port is down, or the frame is not of a kind that a guest may send"),
    ("ls_in_l2", "no port of the network has this MAC address"),
    ("lr_in_ip_routing", "the router has no route there"),
    ("lr_in_arp_resolve", "the router knows no MAC address for it"),
    ("lr_in_admission", "it is not addressed to the router, or the router is down or without a gateway host"),
    ("lr_in_ip_input", "the router itself takes no such packets"),
)


def _reason(stage: str) -> str:
    return next((reason for name, reason in _REASONS if stage.startswith(name)), "the entry of this table says so")
