"""`pileus audit`: do rows, guests, disks, ports, OVN and allocations agree? Looks only; repairs nothing."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import msgspec

from pileus.core.db import Tx
from pileus.doctor.findings import Finding, wrong
from pileus.doctor.patient import Guest, Patient
from pileus.services.compute import states
from pileus.services.compute.rules.create import resources
from pileus.services.compute.store import hosts as host_store
from pileus.services.compute.store import servers as server_store
from pileus.services.compute.store.servers import Filter, ServerRow
from pileus.services.network.ovn.topology import Topology
from pileus.services.network.store import topology
from pileus.services.placement.store import allocations, providers

SETTLE = 3.0
"""Seconds after which a difference that was only work under way is gone."""
LOOKS = 20


class Picture(msgspec.Struct):
    """All that is compared, as of one look."""

    patient: Patient
    servers: dict[str, ServerRow]
    network: Topology
    guests: dict[str, Guest]
    allocated: dict[str, dict[str, dict[str, int]]]
    """consumer -> provider -> resource class -> amount"""
    used: dict[str, dict[str, int]]
    """provider -> resource class -> amount, as the inventory has it"""
    providers: dict[str, str]
    """host -> provider"""

    def here(self) -> dict[str, ServerRow]:
        """Servers of this machine's own hosts that are not being deleted."""
        own = set(self.patient.settings.own_hosts)
        living = self.servers.items()
        return {key: row for key, row in living if row.host in own and row.task_state != states.DELETING}


Check = Callable[[Picture], Iterator[Finding]]


def audit(patient: Patient, seconds: float = SETTLE * LOOKS) -> list[Finding]:
    """What does not agree, and still does not after the work under way has ended. Raises NoAnswer."""
    deadline = time.monotonic() + seconds
    found = look(patient)
    while found and time.monotonic() < deadline:
        time.sleep(min(SETTLE, seconds))
        again = set(look(patient))
        lasting = [finding for finding in found if finding in again]
        if lasting == found:
            return found
        found = lasting
    return found


def look(patient: Patient) -> list[Finding]:
    # Guests before rows: what is made meanwhile then has a row that is seen.
    guests = patient.guests()
    with patient.db.read() as tx:
        picture = _picture(tx, patient, guests)
    return [finding for check in CHECKS for finding in check(picture)]


def _picture(tx: Tx, patient: Patient, guests: dict[str, Guest]) -> Picture:
    rows = server_store.servers_by_ids(tx, server_store.ids_of(tx, [Filter("deleted", False)]))
    allocated: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    used: dict[str, dict[str, int]] = {}
    for provider_id, inventories in providers.all_inventories(tx).items():
        used[provider_id] = {name: inventory.used for name, inventory in inventories.items()}
        for row in allocations.of_provider(tx, provider_id):
            allocated[row.consumer_id][provider_id][row.resource_class] = row.amount
    return Picture(
        patient=patient,
        servers={row.id: row for row in rows},
        network=topology.read(tx, ()),
        guests=guests,
        allocated=allocated,
        used=used,
        providers={host.name: host.id for host in host_store.find(tx)},
    )


def guests_have_rows(picture: Picture) -> Iterator[Finding]:
    for guest in picture.guests.values():
        if guest.id not in picture.servers:
            yield wrong(
                f"guest {guest.id}",
                f"The guest {guest.name} is {guest.state} and no server's.",
                f"rows compute_server with id {guest.id}: none; domains of this host",
                "It is removed by the host agent; is that one running? See 'pileus doctor'.",
            )


def rows_have_guests(picture: Picture) -> Iterator[Finding]:
    for row in picture.here().values():
        guest = picture.guests.get(row.id)
        looked = f"row compute_server {row.id}: vm_state {row.vm_state}, task_state {row.task_state}, host {row.host}"
        if row.task_state is not None:
            yield wrong(
                f"server {row.id}",
                f"'{row.task_state}' does not end.",
                looked,
                f"pileus doctor server {row.id}; 'openstack server reboot --hard {row.id}' makes the guest anew.",
            )
        elif guest is None and row.vm_state in states.VM_STATE_OF_POWER.values():
            yield wrong(
                f"server {row.id}",
                f"It is {row.vm_state}, and {row.host} has no such guest.",
                looked,
                f"openstack server reboot --hard {row.id}",
            )
        elif guest is not None and row.vm_state != "error" and row.power_state != states.POWER_STATES.get(guest.state):
            yield wrong(f"server {row.id}", f"Its guest is {guest.state}, its row says {row.vm_state}.", looked)


def guests_have_their_ports(picture: Picture) -> Iterator[Finding]:
    for row in picture.here().values():
        guest = picture.guests.get(row.id)
        wanted = {nic.port_id for nic in row.nics}
        if guest is not None and row.vm_state != "error" and set(guest.nics) != wanted:
            yield wrong(
                f"server {row.id}",
                f"Its guest has the ports {_list(guest.nics)}, its row {_list(wanted)}.",
                f"row compute_server {row.id}: nics; interfaces of domain {guest.name}",
                f"openstack server reboot --hard {row.id}",
            )


def ports_have_servers(picture: Picture) -> Iterator[Finding]:
    ports = {port.id: port for network in picture.network.networks for port in network.ports}
    for port in ports.values():
        looked = f"row network_port {port.id}: device_owner {port.device_owner}, device_id {port.device_id}"
        if not port.device_owner.startswith("compute:"):
            continue
        server = picture.servers.get(port.device_id)
        if server is None or port.id not in {nic.port_id for nic in server.nics}:
            yield wrong(f"port {port.id}", "It is bound to a server that does not have it.", looked)
        elif server.host is not None and port.binding_host != server.host:
            yield wrong(
                f"port {port.id}", f"It is bound to {port.binding_host}, its server is on {server.host}.", looked
            )
    for server in picture.servers.values():
        for nic in server.nics:
            if nic.port_id not in ports:
                yield wrong(f"server {server.id}", f"Its port {nic.port_id} does not exist.", "rows network_port")


def floating_ips_lead_somewhere(picture: Picture) -> Iterator[Finding]:
    addresses = {
        address for network in picture.network.networks for port in network.ports for address in port.addresses()
    }
    for router in picture.network.routers:
        for floating in router.floating_ips:
            if floating.fixed_ip_address not in addresses:
                yield wrong(
                    f"floating IP {floating.floating_ip_address}",
                    f"It leads to {floating.fixed_ip_address}, which no port has.",
                    f"row network_floating_ip {floating.id}",
                    f"openstack floating ip unset --port {floating.id}",
                )


def allocations_are_what_servers_take(picture: Picture) -> Iterator[Finding]:
    for consumer in picture.allocated:
        if consumer not in picture.servers:
            yield wrong(
                f"allocation {consumer}",
                "Nobody has what it holds.",
                f"rows placement_allocation of consumer {consumer}; rows compute_server: none",
                f"openstack resource provider allocation delete {consumer}",
            )
    for row in picture.servers.values():
        if row.host is None or row.host not in picture.providers:
            continue
        wanted = resources(row.flavor)
        held = picture.allocated.get(row.id, {}).get(picture.providers[row.host], {})
        if held != wanted:
            yield wrong(
                f"server {row.id}",
                f"It takes {_amounts(wanted)}, and {_amounts(held)} is allocated to it on {row.host}.",
                f"rows placement_allocation of consumer {row.id}",
            )


def inventories_add_up(picture: Picture) -> Iterator[Finding]:
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for given in picture.allocated.values():
        for provider, amounts in given.items():
            for name, amount in amounts.items():
                sums[provider, name] += amount
    for provider, classes in picture.used.items():
        for name, used in classes.items():
            if used != sums[provider, name]:
                yield wrong(
                    f"inventory {name} of provider {provider}",
                    f"used is {used}, its allocations add up to {sums[provider, name]}.",
                    f"rows placement_inventory, placement_allocation of provider {provider}",
                )


def disks_are_of_servers(picture: Picture) -> Iterator[Finding]:
    if picture.patient.simulated:
        return
    folder = picture.patient.state_dir / "instances"
    known = {entry.name for entry in folder.iterdir()} if folder.exists() else set()
    for name in sorted(known - set(picture.servers)):
        yield wrong(f"disk {name}", "No server has it.", f"{folder / name}", "The host agent removes it when it runs.")
    for guest in picture.guests.values():
        for disk in guest.disks:
            if disk and not (picture.patient.state_dir / disk).exists():
                yield wrong(f"guest {guest.id}", f"Its disk {disk} does not exist.", f"domain {guest.name}")


def ovn_is_as_the_rows_say(picture: Picture) -> Iterator[Finding]:
    if picture.patient.simulated:
        return
    from pileus.doctor import ovn

    yield from ovn.northbound_differences(picture.patient, picture.network)
    yield from ovn.interfaces_without_ports(picture.patient, picture.network)


CHECKS: tuple[Check, ...] = (
    rows_have_guests,
    guests_have_rows,
    guests_have_their_ports,
    ports_have_servers,
    floating_ips_lead_somewhere,
    allocations_are_what_servers_take,
    inventories_add_up,
    disks_are_of_servers,
    ovn_is_as_the_rows_say,
)


def _list(ids: Iterable[str]) -> str:
    return ", ".join(sorted(ids)) or "none"


def _amounts(found: dict[str, int]) -> str:
    return ", ".join(f"{amount} {name}" for name, amount in sorted(found.items())) or "nothing"
