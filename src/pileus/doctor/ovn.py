"""What the doctor asks of Open vSwitch and OVN, with their own commands, so that the operator can ask the same."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import msgspec

from pileus.doctor.findings import Finding, wrong
from pileus.doctor.patient import NoAnswer, Patient
from pileus.services.network.ovn.northbound import desired
from pileus.services.network.ovn.topology import Topology
from pileus.supervise import ovn, ovs

TIMEOUT = 10


class Answer(msgspec.Struct):
    """Rows of a table as {column: value}; maps as dicts, sets as lists."""

    command: str
    rows: list[dict[str, Any]]


def find(patient: Patient, database: str, table: str, *conditions: str) -> Answer:
    """`database`: switch, northbound or southbound. Raises NoAnswer."""
    tool, where = {
        "switch": ("ovs-vsctl", ovs.connection(patient.state_dir)),
        "northbound": ("ovn-nbctl", ovn.northbound(patient.state_dir)),
        "southbound": ("ovn-sbctl", ovn.southbound(patient.state_dir)),
    }[database]
    command = [tool, f"--db={where}", f"--timeout={TIMEOUT}", "--format=json", "find", table, *conditions]
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OVN_RUNDIR": "/nowhere"})
    if run.returncode:
        raise NoAnswer(f"{' '.join(command)}: {run.stderr.strip()}")
    found = json.loads(run.stdout)
    rows = [dict(zip(found["headings"], map(_plain, row), strict=True)) for row in found["data"]]
    return Answer(" ".join(word for word in command if not word.startswith(("--timeout", "--format"))), rows)


def _plain(value: Any) -> Any:
    """A value in OVSDB's JSON form (RFC 7047 section 5.1)."""
    if not isinstance(value, list):
        return value
    kind, inner = value
    if kind == "map":
        return {_plain(key): _plain(each) for key, each in inner}
    return [_plain(each) for each in inner] if kind == "set" else inner


def northbound_differences(patient: Patient, topology: Topology) -> Iterator[Finding]:
    """Raises NoAnswer."""
    from pileus.services.network.ovn.apply import Northbound
    from pileus.services.network.ovn.southbound import Southbound

    northbound = Northbound(ovn.northbound(patient.state_dir))
    southbound = Southbound(ovn.southbound(patient.state_dir))
    try:
        wanted = msgspec.structs.replace(topology, chassis=southbound.chassis())
        changes = northbound.differences(desired(wanted))
    except OSError as error:
        raise NoAnswer(str(error)) from None
    finally:
        northbound.close()
        southbound.close()
    if changes:
        names = [f"{row.table} {row.name} is missing" for row in changes.insert]
        names += [f"{row.table} {row.name} differs" for row in changes.update]
        names += [f"{table} {name} is left behind" for table, name in changes.delete]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        yield wrong(
            "OVN",
            f"The northbound database is not as the rows say: {'; '.join(names[:5])}{more}.",
            f"rows network_*; ovn-nbctl --db={ovn.northbound(patient.state_dir)} show",
            "The controller repairs it within 30 s while Pileus runs; if not, its log says why: log/pileus.log.",
        )


def interfaces_without_ports(patient: Patient, topology: Topology) -> Iterator[Finding]:
    """Raises NoAnswer."""
    ports = {port.id for network in topology.networks for port in network.ports}
    answer = find(patient, "switch", "Interface")
    for row in answer.rows:
        port_id = row["external_ids"].get("iface-id")
        if port_id is not None and port_id not in ports:
            yield wrong(
                f"interface {row['name']}",
                f"It is plugged for port {port_id}, which does not exist.",
                answer.command,
                f"ovs-vsctl --db={ovs.connection(patient.state_dir)} del-port {row['name']}",
            )
