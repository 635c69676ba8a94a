"""Checks of the whole cloud. Each is a function of the patient that gives findings; `examine` runs all of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import psutil

from pileus.core import policy
from pileus.core.db import now
from pileus.doctor.findings import Finding, good, warning, wrong
from pileus.doctor.patient import NoAnswer, Patient
from pileus.operate import up
from pileus.services.compute.rules import hosts as host_rules
from pileus.services.compute.store import hosts as host_store
from pileus.services.network.rules import networks
from pileus.services.network.store import chassis as chassis_store
from pileus.services.network.store import status as network_status
from pileus.services.network.store import topology

ROOM = 0.1, 5 << 30
"""Less than this part of the disk, and less than this many bytes, is too little."""
FULL = 256 << 20
"""Uploads are refused below it (image/files.py)."""

Check = Callable[[Patient], Iterator[Finding]]


def examine(patient: Patient, checks: Sequence[Check] | None = None) -> Iterator[Finding]:
    """All of them, or those."""
    for check in CHECKS if checks is None else checks:
        try:
            yield from check(patient)
        except NoAnswer as error:
            yield wrong(
                check.__name__.replace("_", " "), str(error), to_do="What is wrong with that daemon is said above."
            )


def pileus(patient: Patient) -> Iterator[Finding]:
    if patient.running is None:
        log = up.log_file(patient.state_dir)
        yield wrong("Pileus", "It does not run.", f"{patient.state_dir}/run/pileus.json; {log}", "pileus up")
    elif not up.answers(patient.settings):
        yield wrong(
            "Pileus",
            f"It runs (pid {patient.running.pid}) and does not answer.",
            f"curl {patient.settings.url}/identity/v3",
            f"Its last words are in {up.log_file(patient.state_dir)}; 'pileus down' and 'pileus up' start it anew.",
        )
    else:
        yield good("Pileus", f"It answers at {patient.settings.url}.", f"curl {patient.settings.url}/identity/v3")


def daemons(patient: Patient) -> Iterator[Finding]:
    """What the supervisor wrote; where nobody supervises, the processes themselves."""
    if patient.simulated:
        return
    from pileus.supervise import process
    from pileus.supervise.supervisor import State, daemons_file, read_reports

    looked = str(daemons_file(patient.state_dir))
    reports = read_reports(patient.state_dir)
    for report in reports:
        lives = report.pid is not None and process.of_child(report.pid, ()) is not None
        words = f" Its last words:\n{report.last_words}" if report.last_words else ""
        log = f"{patient.state_dir}/log/{report.name}.log"
        if patient.running and report.state is not State.RUNNING:
            yield wrong(
                f"daemon {report.name}", f"It is {report.state}: {report.trouble}.{words}", looked, f"See {log}."
            )
        elif not lives and (patient.running or patient.guests_run()):
            yield wrong(f"daemon {report.name}", "It does not run, and guests do.", looked, f"pileus up; see {log}.")
        elif report.restarts and patient.running:
            yield warning(
                f"daemon {report.name}", f"It was restarted {report.restarts} times: {report.trouble}.{words}", looked
            )
    if reports:
        yield good("daemons", f"{len(reports)} were looked at.", looked)


def hosts(patient: Patient) -> Iterator[Finding]:
    with patient.db.read() as tx:
        rows, at = host_store.find(tx), tx.now
    if not rows:
        yield wrong("hosts", "None has registered.", "rows compute_host", f"See {patient.state_dir}/log/agent.log.")
    for row in rows:
        looked = f"row compute_host {row.name}: last_seen {row.last_seen:%Y-%m-%dT%H:%M:%SZ}"
        about = f"host {row.name}"
        if row.forced_down:
            yield warning(
                about, "It was forced down.", looked, f"openstack compute service set --up {row.name} nova-compute"
            )
        elif not host_rules.is_up(row, at):
            seconds = (at - row.last_seen).total_seconds()
            yield wrong(
                about, f"It was last heard of {seconds:.0f} s ago.", looked, f"See {patient.state_dir}/log/agent.log."
            )
        else:
            yield good(about, f"It is up, on {row.accelerator}: {row.accelerator_reason}", looked)
        if row.disabled:
            yield warning(about, f"It is disabled: {row.disabled_reason or 'no reason given'}.", looked)
        for problem in row.problems:
            yield wrong(about, problem, f"row compute_host {row.name}: problems")


def disk(patient: Patient) -> Iterator[Finding]:
    """W45: a full disk is said before it is full."""
    looked = f"df {patient.state_dir}"
    usage = shutil.disk_usage(patient.state_dir)
    free = f"{usage.free / (1 << 30):.1f} GiB of {usage.total / (1 << 30):.0f} are free"
    more = (
        f"Make room, or move {patient.state_dir} to a larger disk; 'du -sh {patient.state_dir}/*' says what takes it."
    )
    if usage.free < FULL:
        yield wrong("disk", f"{free}: uploads are refused, and guests that write are paused or fail.", looked, more)
    elif usage.free < ROOM[0] * usage.total and usage.free < ROOM[1]:
        yield wrong("disk", f"{free}; uploads are refused below 0.25 GiB.", looked, more)
    else:
        yield good("disk", f"{free}.", looked)


def clock(patient: Patient) -> Iterator[Finding]:
    """Rows from the future: the clock was set back, or another controller's clock is ahead."""
    with patient.db.read() as tx:
        rows = host_store.find(tx)
    ahead = max((row.last_seen - now() for row in rows), default=timedelta())
    if ahead > timedelta(seconds=5):
        yield wrong(
            "clock",
            f"The clock is {ahead.total_seconds():.0f} s behind what the database holds: tokens live too long, hosts seem up.",
            "rows compute_host: last_seen",
            "Set the clock right (NTP).",
        )


def network(patient: Patient) -> Iterator[Finding]:
    """How far OVN is behind the rows, and whether what is in it is what it should be."""
    with patient.db.read() as tx:
        waiting = network_status.waiting(tx)
        wanted = topology.read(tx, ())
    late = [*waiting.routers, *waiting.ports, *waiting.floating_ips]
    if late:
        yield warning(
            "network",
            f"{len(late)} routers, ports and floating IPs are not in place yet.",
            f"rows network_router, network_port, network_floating_ip with status DOWN: {', '.join(late[:5])}",
            "It takes a moment after a change. If it lasts: log/pileus.log says why.",
        )
    if patient.simulated:
        return
    from pileus.doctor import ovn

    northbound = ovn.find(patient, "northbound", "NB_Global")
    for row in northbound.rows:
        if row["hv_cfg"] < row["nb_cfg"]:
            yield warning(
                "network",
                f"Hosts have change {row['hv_cfg']} of {row['nb_cfg']} in their flows.",
                northbound.command,
                "A host that is away is the usual reason: ovn-sbctl list Chassis_Private.",
            )
    differences = list(ovn.northbound_differences(patient, wanted))
    yield from differences
    if not differences:
        yield good("OVN", "Its northbound database is as the rows say.", northbound.command)


def mtu(patient: Patient) -> Iterator[Finding]:
    """W07: networks whose MTU the underlay does not carry."""
    links = psutil.net_if_stats()
    with patient.db.read() as tx:
        found = topology.read(tx, ()).networks
        underlays = chassis_store.underlays(tx)
    tunnels = [
        (mtu - networks.tunnel_overhead(address), f"the interface of {address}, as its host said when it registered,")
        for address, mtu in underlays
    ]
    if not patient.simulated:
        tunnels += _own_tunnels(patient)
    uplink = patient.settings.external_interface
    for each in found:
        carriers = [(links[uplink].mtu, uplink)] if each.physical_network and uplink in links else []
        for most, name in carriers if each.physical_network else tunnels:
            if each.mtu > most:
                yield wrong(
                    f"network {each.id}",
                    f"Its MTU is {each.mtu}, and {name} carries {most}: large packets are lost.",
                    f"row network_network {each.id}: mtu; network_chassis: mtu; ip link show",
                    f"openstack network set --mtu {most} {each.id}, or raise the MTU of {name} and of the switches behind it.",
                )


def _own_tunnels(patient: Patient) -> list[tuple[int, str]]:
    """What the interfaces of this machine carry now, and their names."""
    from pileus.doctor import ovn

    links = psutil.net_if_stats()
    addresses = {address.address: name for name, found in psutil.net_if_addrs().items() for address in found}
    encaps = ovn.find(patient, "southbound", "Encap", "type=geneve")
    return [
        (links[name].mtu - networks.tunnel_overhead(row["ip"]), name)
        for row in encaps.rows
        if (name := addresses.get(row["ip"])) in links
    ]


def uplink(patient: Patient) -> Iterator[Finding]:
    """W02: priority tags, which captures do not show, on the external interface."""
    name = patient.settings.external_interface
    if patient.simulated or not name:
        return
    from pileus.doctor import uplink as frames

    looked = f"frames received on {name} for {frames.SECONDS:g} s, with their PACKET_AUXDATA"
    try:
        with frames.listen(name) as ear:
            tagged, heard = frames.priority_tagged(ear)
    except OSError as error:
        yield wrong(f"uplink {name}", f"It can't be listened on: {error.strerror}.", looked, f"ip link show {name}")
        return
    if tagged:
        yield warning(
            f"uplink {name}",
            f"{tagged} of {heard} frames carry an 802.1p priority tag (VLAN id 0), which some guests' kernels drop.",
            looked,
            "Turn priority tagging off at the switch port or at the sender.",
        )
    else:
        yield good(f"uplink {name}", f"None of {heard} frames carries a priority tag.", looked)


def policies(patient: Patient) -> Iterator[Finding]:
    """The operator's rule files, read as the services read them."""
    folder = patient.state_dir / "policy.d"
    files = sorted(folder.iterdir()) if folder.exists() else []
    if not files:
        return
    from pileus.cloud import services
    from pileus.services.image.protections import FILE, Protections, protections

    known: dict[Path, policy.Policy | Protections] = {
        folder / f"{service.name}.yaml": service.policy
        for service in services()
        if isinstance(service.policy, policy.Policy)
    }
    known[folder / FILE] = protections
    for file in files:
        if file not in known:
            names = ", ".join(sorted(each.name for each in known))
            yield wrong(f"policy {file.name}", "No service reads this file.", str(file), f"The files are {names}.")
            continue
        known[file].override_by(file)
        if known[file].trouble:
            yield wrong(
                f"policy {file.name}", f"It is refused: {known[file].trouble}.", str(file), "The rules before it hold."
            )
        else:
            yield good(f"policy {file.name}", "Its rules hold.", str(file))


def agreement(patient: Patient) -> Iterator[Finding]:
    """What `pileus audit` finds, leftovers among it."""
    from pileus.doctor import audit

    found = audit.audit(patient, seconds=audit.SETTLE)
    yield from found
    if not found:
        yield good("audit", "Rows, guests, disks, ports and allocations agree.", "pileus audit")


CHECKS: tuple[Check, ...] = (
    pileus,
    daemons,
    hosts,
    disk,
    clock,
    network,
    mtu,
    uplink,
    policies,
    agreement,
)
QUICK: tuple[Check, ...] = (pileus, daemons, hosts, disk, clock, policies)
"""Those that take no time: for `pileus status`."""
