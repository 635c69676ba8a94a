"""What a real host has: domains, taps, files of guests, and the rows of OVN's northbound database."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from pileus.doctor import ovn
from pileus.doctor.patient import NoAnswer, Patient
from tests.crash.world import Facts, Names

NORTHBOUND = ("Logical_Switch_Port", "Logical_Router_Port", "NAT", "DNS", "DHCP_Options", "Address_Set", "Port_Group")


def things(state_dir: Path, names: Names) -> Facts:
    patient = Patient(state_dir)
    try:
        return _things(patient, names)
    except NoAnswer as reason:
        return Counter([f"nothing is known: {reason}"])
    finally:
        patient.close()


def _things(patient: Patient, names: Names) -> Facts:
    facts: Facts = Counter()
    for guest in patient.guests().values():
        nics = sorted(map(names.text, guest.nics))
        facts[f"domain {names.text(guest.id)} {guest.state} {nics}"] += 1
    for row in ovn.find(patient, "switch", "Interface").rows:
        if "iface-id" in row["external_ids"]:
            facts[f"tap {names.text(row['external_ids']['iface-id'])}"] += 1
    for table in NORTHBOUND:
        for row in ovn.find(patient, "northbound", table).rows:
            facts[f"ovn {table} {json.dumps(names.plain(row), sort_keys=True)}"] += 1
    for path in (patient.state_dir / "instances").rglob("*"):
        facts[f"file {names.text(str(path.relative_to(patient.state_dir)))}"] += 1
    return facts
