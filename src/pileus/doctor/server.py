"""`pileus doctor server`: why does this server not answer? In the order in which a packet, or an operator, would go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

import httpx
import msgspec

from pileus.core.db import Tx
from pileus.core.errors import Problem
from pileus.doctor.findings import Finding, good, warning, wrong
from pileus.doctor.patient import Guest, NoAnswer, Patient
from pileus.doctor.security import Packet, letting_in
from pileus.operate.options import OptionError
from pileus.services.compute import agent
from pileus.services.compute.rules import console, interfaces
from pileus.services.compute.rules import hosts as host_rules
from pileus.services.compute.store import hosts as host_store
from pileus.services.compute.store import servers as server_store
from pileus.services.compute.store.hosts import HostRow
from pileus.services.compute.store.servers import Filter, ServerRow
from pileus.services.network import rules as network
from pileus.services.network.ovn.topology import ROUTER_OWNERS, Topology
from pileus.services.network.store import topology

LOG_LINES = 5
LOG_BYTES = 64 << 10


class Case(msgspec.Struct):
    """What the database has of the server, read in one transaction."""

    patient: Patient
    server: ServerRow
    host: HostRow | None
    host_is_up: bool
    ports: list[network.PortDetail]
    rules: dict[str, list[network.SecurityGroupRuleRow]]
    network: Topology
    place: console.Place | None


def explain(patient: Patient, name: str) -> Iterator[Finding]:
    """Raises OptionError where there is no such server, or more than one of that name."""
    with patient.db.read() as tx:
        case = _case(tx, patient, find(tx, name))
    for check in CHECKS:
        try:
            yield from check(case)
        except NoAnswer as error:
            yield wrong(
                check.__name__.replace("_", " "), str(error), to_do="'pileus doctor' says what is wrong with it."
            )


def find(tx: Tx, name: str) -> ServerRow:
    living = server_store.servers_by_ids(tx, server_store.ids_of(tx, [Filter("deleted", False)]))
    found = [row for row in living if row.id == name] or [row for row in living if row.name == name]
    if not found:
        raise OptionError(f"There is no server '{name}'. 'openstack server list --all-projects' shows those there are.")
    if len(found) > 1:
        ids = "\n".join(f"  {row.id} of project {row.project_id}" for row in found)
        raise OptionError(f"{len(found)} servers are called '{name}'; name one by its id:\n{ids}")
    return found[0]


def _case(tx: Tx, patient: Patient, server: ServerRow) -> Case:
    host = host_store.host_of_name(tx, server.host) if server.host else None
    ports = interfaces.ports_of(tx, server)
    groups = sorted({group.id for port in ports for group in port.security_groups})
    try:
        place = console.place_of(tx, server)
    except Problem:
        place = None
    return Case(
        patient=patient,
        server=server,
        host=host,
        host_is_up=host is not None and host_rules.is_up(host, tx.now),
        ports=ports,
        rules=network.security_group_rules(tx, groups),
        network=topology.read(tx, ()),
        place=place,
    )


def row(case: Case) -> Iterator[Finding]:
    server = case.server
    looked = f"row compute_server {server.id}"
    task = f", task {server.task_state}" if server.task_state else ""
    state = f"{server.name} is {server.status}{task}, on {server.host or 'no host'}."
    if server.fault is not None:
        yield wrong("server", f"{state} {server.fault.message}", f"{looked}: fault", _cure(server))
    elif server.status != "ACTIVE" or server.task_state:
        yield wrong("server", state, looked, _cure(server))
    else:
        yield good("server", state, looked)
    if server.host and server.observed_generation < server.generation:
        yield warning(
            "server",
            f"Its host has carried out change {server.observed_generation} of {server.generation}.",
            f"{looked}: observed_generation, generation",
            "It takes a moment after a change; if it lasts, the host agent does not run: 'pileus doctor'.",
        )


def _cure(server: ServerRow) -> str:
    if server.status == "SHUTOFF":
        return f"openstack server start {server.id}"
    if server.status in ("PAUSED", "SUSPENDED"):
        return f"openstack server {'unpause' if server.status == 'PAUSED' else 'resume'} {server.id}"
    return (
        f"openstack server reboot --hard {server.id}"
        if server.host
        else "Make the room that was missing, and boot again."
    )


def host(case: Case) -> Iterator[Finding]:
    if case.host is None:
        return
    looked = f"row compute_host {case.host.name}: last_seen {case.host.last_seen:%Y-%m-%dT%H:%M:%SZ}"
    if case.host_is_up:
        yield good("host", f"{case.host.name} is up.", looked)
    else:
        yield wrong("host", f"{case.host.name} is down.", looked, "See log/agent.log; 'pileus doctor'.")
    for problem in case.host.problems:
        yield wrong("host", problem, f"row compute_host {case.host.name}: problems")


def domain(case: Case) -> Iterator[Finding]:
    if case.server.host not in case.patient.settings.own_hosts:
        return
    guest = case.patient.guests().get(case.server.id)
    looked = f"domain {case.server.instance_name}" + ("" if case.patient.simulated else f" ({_virsh(case.patient)})")
    if guest is None:
        yield wrong("domain", "The host has no such guest.", looked, f"openstack server reboot --hard {case.server.id}")
        return
    if guest.state != "running":
        yield wrong("domain", f"The guest is {guest.state}.", looked, _cure(case.server))
    else:
        yield good("domain", f"The guest is {guest.state}.", looked)
    yield from _nics(case, guest, looked)
    for disk in guest.disks:
        if disk and not Path(disk).exists():
            yield wrong("domain", f"Its disk {disk} does not exist.", looked)


def _nics(case: Case, guest: Guest, looked: str) -> Iterator[Finding]:
    wanted = {detail.port.id for detail in case.ports}
    if set(guest.nics) != wanted:
        lacks = ", ".join(sorted(wanted - set(guest.nics))) or "none"
        spare = ", ".join(sorted(set(guest.nics) - wanted)) or "none"
        yield wrong(
            "domain", f"Of its ports the guest lacks {lacks}, and has {spare} too many.", looked,
            f"openstack server reboot --hard {case.server.id}",
        )  # fmt: skip
    if not wanted:
        yield wrong(
            "domain", "The server has no port.", looked, f"openstack server add network {case.server.id} NETWORK"
        )


def _virsh(patient: Patient) -> str:
    from pileus.supervise import libvirt

    return f"virsh -c '{libvirt.uri(patient.state_dir)}' list --all"


def ports(case: Case) -> Iterator[Finding]:
    for detail in case.ports:
        port = detail.port
        looked = f"row network_port {port.id}: status {port.status}, binding_host {port.binding_host or 'none'}"
        addresses = ", ".join(fixed.ip_address for fixed in detail.fixed_ips) or "no address"
        about = f"port {port.id[:8]}"
        if not detail.fixed_ips:
            yield wrong(about, "It has no address.", looked, f"openstack port set --fixed-ip subnet=SUBNET {port.id}")
        elif not port.admin_state_up:
            yield wrong(about, f"{addresses}: it is disabled.", looked, f"openstack port set --enable {port.id}")
        elif port.status != "ACTIVE":
            yield wrong(about, f"{addresses}: it is {port.status}: its host has not wired it.", looked)
        else:
            yield good(
                about, f"{addresses}, {port.mac_address}, on network {detail.network.name or detail.network.id}", looked
            )
        if not case.patient.simulated:
            yield from _wiring(case, detail)


def _wiring(case: Case, detail: network.PortDetail) -> Iterator[Finding]:
    """What OVN and Open vSwitch have of a port: is it bound here, is it plugged, are its flows in place?"""
    from pileus.doctor import ovn

    port, about = detail.port, f"binding {detail.port.id[:8]}"
    bound = ovn.find(case.patient, "southbound", "Port_Binding", f"logical_port={port.id}")
    chassis = {each["_uuid"]: each["hostname"] for each in ovn.find(case.patient, "southbound", "Chassis").rows}
    if not bound.rows:
        yield wrong(about, "OVN does not know the port.", bound.command, "'pileus doctor' compares OVN with the rows.")
    for each in bound.rows:
        where = chassis.get(each["chassis"]) if isinstance(each["chassis"], str) else None
        up = each.get("up") is True
        if where is None:
            yield wrong(about, "No host has claimed the port.", bound.command, "Is ovn-controller up, and the guest?")
        elif where != port.binding_host or not up:
            yield wrong(about, f"{where} has it, and it is {'up' if up else 'not up'}.", bound.command)
        else:
            yield good(about, f"{where} has it, and it is up.", bound.command)
    if case.server.host not in case.patient.settings.own_hosts:
        return
    plugged = ovn.find(case.patient, "switch", "Interface", f'external_ids:iface-id="{port.id}"')
    if not plugged.rows:
        yield wrong(about, "No interface in Open vSwitch is the port's.", plugged.command, _cure(case.server))
    for each in plugged.rows:
        installed = each["external_ids"].get("ovn-installed") == "true"
        state = f"Interface {each['name']} has {'its' if installed else 'not all'} flows, link {each['link_state'] or 'unknown'}."
        trouble = each.get("error") or ""
        if installed and not trouble:
            yield good(about, state, plugged.command)
        else:
            yield wrong(about, f"{state} {trouble}".strip(), plugged.command, "See log/ovn-controller.log.")


def dhcp(case: Case) -> Iterator[Finding]:
    for detail in case.ports:
        for fixed in detail.fixed_ips:
            about, subnet = f"DHCP {fixed.ip_address}", fixed.subnet
            looked = f"row network_subnet {subnet.id}: enable_dhcp"
            if not subnet.enable_dhcp:
                yield warning(about, f"Subnet {subnet.cidr} has no DHCP: the guest must know its address.", looked)
            elif not case.patient.simulated and subnet.ip_version == 4:
                yield from _dhcp_options(case, detail.port.id, about)


def _dhcp_options(case: Case, port_id: str, about: str) -> Iterator[Finding]:
    from pileus.doctor import ovn

    port = ovn.find(case.patient, "northbound", "Logical_Switch_Port", f"name={port_id}")
    answer = ovn.find(case.patient, "northbound", "DHCP_Options")
    known = {each["_uuid"]: each["options"] for each in answer.rows}
    options = next(
        (known.get(each["dhcpv4_options"]) for each in port.rows if isinstance(each["dhcpv4_options"], str)), None
    )
    if options is None:
        yield wrong(
            about, "OVN has no DHCP answer for the port.", port.command, "'pileus doctor' compares OVN with the rows."
        )
    else:
        told = ", ".join(
            f"{name} {options[name]}" for name in ("router", "mtu", "dns_server", "lease_time") if name in options
        )
        yield good(about, f"OVN answers with {told}.", f"{port.command}; {answer.command}")


def security(case: Case) -> Iterator[Finding]:
    """By the rules alone, for somebody outside; ovn-trace below asks OVN."""
    members = _members(case)
    for detail in case.ports:
        about = f"security {detail.port.id[:8]}"
        if not detail.port.port_security_enabled:
            yield good(about, "Port security is off: everything passes.", f"row network_port {detail.port.id}")
            continue
        names = ", ".join(group.name for group in detail.security_groups) or "none"
        rules = [rule for group in detail.security_groups for rule in case.rules.get(group.id, ())]
        for version in sorted({fixed.subnet.ip_version for fixed in detail.fixed_ips}):
            outside = _stranger(case) if version == 4 else "2001:db8::1"
            for packet in (Packet(outside, "icmp"), Packet(outside, "tcp", 22)):
                rule = letting_in(packet, rules, members)
                looked = f"rows network_security_group_rule of groups {names}"
                if rule is not None:
                    yield good(about, f"Rule {rule.id} lets in {packet}.", looked)
                    continue
                group = detail.security_groups[0].id if detail.security_groups else "GROUP"
                more = "--protocol icmp" if packet.protocol == "icmp" else "--protocol tcp --dst-port 22"
                kind = " --ethertype IPv6" if version == 6 else ""
                yield wrong(
                    about, f"No rule of the groups {names} lets in {packet}.", looked,
                    f"openstack security group rule create {more}{kind} {group}",
                )  # fmt: skip


def _stranger(case: Case) -> str:
    """Who would call from outside: this host, on the external bridge."""
    return str(ip_interface(case.patient.settings.external_address).ip)


def _members(case: Case) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {group.id: list(group.addresses) for group in case.network.address_groups}
    for each in case.network.networks:
        for port in each.ports:
            for group_id in port.security_groups:
                found.setdefault(group_id, []).extend(port.addresses())
    return found


def floating_ips(case: Case) -> Iterator[Finding]:
    for detail in case.ports:
        for floating in detail.floating_ips:
            about = f"floating IP {floating.floating_ip_address}"
            looked = f"row network_floating_ip {floating.id}: status {floating.status}, router_id {floating.router_id}"
            if floating.router_id is None:
                yield wrong(about, "No router leads to it.", looked)
            elif floating.status != "ACTIVE":
                yield wrong(about, f"It is {floating.status}: OVN does not have it in place.", looked)
            else:
                yield good(about, f"It leads to {floating.fixed_ip_address} by router {floating.router_id}.", looked)
            if not case.patient.simulated:
                yield from _nat(case, about, floating.floating_ip_address)


def _nat(case: Case, about: str, address: str) -> Iterator[Finding]:
    from pileus.doctor import ovn

    nat = ovn.find(case.patient, "northbound", "NAT", f'external_ip="{address}"', "type=dnat_and_snat")
    if nat.rows:
        yield good(about, f"OVN translates it to {nat.rows[0]['logical_ip']}.", nat.command)
    else:
        yield wrong(about, "OVN does not translate it.", nat.command, "'pileus doctor' compares OVN with the rows.")


def flows(case: Case) -> Iterator[Finding]:
    """What OVN would do with a ping and with the start of an SSH session."""
    if case.patient.simulated:
        return
    for detail in case.ports:
        addresses = [fixed.ip_address for fixed in detail.fixed_ips if fixed.subnet.ip_version == 4]
        for protocol, number in (("icmp", None), ("tcp", 22)):
            for floating in detail.floating_ips:
                yield _from_outside(case, detail, floating.floating_ip_address, protocol, number)
            if addresses and (router := _router_port(case, detail)):
                yield _traced(case, f"router to {addresses[0]}", detail.port.id, router, addresses[0], protocol, number)
        if addresses and _router_port(case, detail):
            yield _traced(case, f"{addresses[0]} to outside", None, detail.port.id, _stranger(case), "icmp", None)


def _router_port(case: Case, detail: network.PortDetail) -> str | None:
    """The router's interface that is the gateway of the port's subnet."""
    gateways = {fixed.subnet.gateway_ip for fixed in detail.fixed_ips}
    for each in case.network.networks:
        for port in each.ports if each.id == detail.network.id else ():
            if port.device_owner in ROUTER_OWNERS and gateways.intersection(port.addresses()):
                return port.id
    return None


def _from_outside(case: Case, detail: network.PortDetail, address: str, protocol: str, number: int | None) -> Finding:
    from pileus.services.network.ovn import trace

    def ask() -> trace.Flow:
        return trace.from_outside(case.network, address, _stranger(case), protocol, number)

    return _run(case, f"outside to {address}", detail.port.id, ask)


def _traced(
    case: Case, about: str, wanted: str | None, port_id: str, address: str, protocol: str, number: int | None
) -> Finding:
    from pileus.services.network.ovn import trace

    return _run(case, about, wanted, lambda: trace.between(case.network, port_id, address, protocol, number))


def _run(case: Case, about: str, wanted: str | None, ask: Callable[[], Any]) -> Finding:
    """`wanted`: the port where the packet should come out; None: anywhere."""
    from pileus.services.network.ovn import trace
    from pileus.supervise import ovn

    southbound = ovn.southbound(case.patient.state_dir)
    try:
        flow = ask()
        found = trace.run(southbound, flow)
    except trace.Unknown as error:
        return wrong(f"flow {about}", str(error), "rows network_*")
    except OSError as error:
        return wrong(f"flow {about}", str(error))
    looked = f"ovn-trace --db={southbound} --ct=new {flow.network_id} '{flow.expression()}'"
    there = bool(found.reaches) if wanted is None else wanted in found.reaches or found.asks_for_neighbour
    if found.dropped is not None or not there:
        return wrong(f"flow {about}", found.explain(), looked)
    return good(f"flow {about}", found.explain(), looked)


def log(case: Case) -> Iterator[Finding]:
    """What the guest says itself, and whether it says that it has its address."""
    if case.place is None:
        return
    looked = f"openstack console log show {case.server.id}"
    try:
        text = agent.console_log(case.place, case.patient.settings.tls, LOG_BYTES).decode(errors="replace")
    except Problem as error:
        yield wrong("guest's log", str(error), looked, "Is the host agent up? See log/agent.log.")
        return
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    shown = "".join(f"\n      {line[:160]}" for line in lines[-LOG_LINES:])
    if not lines:
        yield warning("guest's log", "The guest has printed nothing yet.", looked)
        return
    addresses = [fixed.ip_address for detail in case.ports for fixed in detail.fixed_ips]
    said = [address for address in addresses if address in text]
    if said:
        yield good("guest's log", f"The guest speaks of its address {', '.join(said)}. It ends:{shown}", looked)
    else:
        yield warning(
            "guest's log",
            f"The guest does not speak of {', '.join(addresses) or 'any address'}. It ends:{shown}",
            looked,
            "A guest that has no address yet is still booting, or its DHCP client got no answer.",
        )


def metadata(case: Case) -> Iterator[Finding]:
    if case.place is None or case.patient.simulated:
        return
    url = f"{case.place.url}/guests/{case.place.guest_id}/metadata-requests"
    try:
        answer = agent.get(case.place, case.patient.settings.tls, "metadata-requests")
    except (httpx.HTTPError, OSError) as error:
        yield wrong("metadata", f"The host agent does not answer: {error}", url, "See log/agent.log.")
        return
    lines = answer.json()
    if lines:
        yield good("metadata", f"The guest last asked: {lines[-1]} ({len(lines)} requests remembered).", url)
    else:
        yield warning(
            "metadata",
            "The guest has asked for nothing since the host agent started: it has no key from there.",
            url,
            "A guest asks at its first boot, when it has its address. A config drive needs no network.",
        )


CHECKS: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    row,
    host,
    domain,
    ports,
    dhcp,
    security,
    floating_ips,
    flows,
    log,
    metadata,
)
