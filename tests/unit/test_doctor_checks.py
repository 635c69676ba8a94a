"""Checks of the whole, on a cloud in a directory that nobody serves."""

import json
import shutil
from collections import namedtuple
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pileus.cloud import services
from pileus.core.config import Settings
from pileus.core.context import system_caller
from pileus.core.db import Database, now
from pileus.doctor import checks
from pileus.doctor.findings import Finding, by_priority, good, show, warning, wrong
from pileus.doctor.patient import Patient
from pileus.operate import state
from pileus.operate.options import OptionError
from pileus.services.compute.store import hosts
from pileus.services.network.rules import chassis, networks
from pileus.services.network.types.networks import NetworkCreate
from tests.unit.test_operate_facts import DAEMONS

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Patient]:
    state.prepare(tmp_path, "sim")
    state.note_running(Settings(state_dir=tmp_path, mode="sim", port=1))
    (tmp_path / "run/pileus.json").write_text(
        (tmp_path / "run/pileus.json").read_text().replace('"pid":', '"pid":1, "was":')
    )
    db = Database(f"sqlite:///{tmp_path}/pileus.db")
    db.create_tables()
    db.close()
    found = Patient(tmp_path)
    yield found
    found.close()


def host(patient: Patient, **values: object) -> None:
    with patient.db.write() as tx:
        row = {
            "name": "h1", "id": "h1", "service_id": "s1", "created_at": tx.now, "hypervisor_type": "simulated",
            "hypervisor_version": 1, "accelerator": "simulated", "accelerator_reason": "a test.", "vcpus": 1,
            "memory_mb": 1, "disk_gb": 1, "address": "", "agent_url": "", "cpu_info": {}, "version": "",
            "last_seen": tx.now, "used": {}, "problems": [], "disabled": False, "disabled_reason": None,
            "forced_down": False, **values,
        }  # fmt: skip
        hosts.insert(tx, row)


def only(found: Iterator[Finding]) -> Finding:
    (finding,) = found
    return finding


def test_where_there_is_no_cloud(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="There is no cloud in"):
        Patient(tmp_path)


def test_pileus_does_not_run(patient: Patient) -> None:
    finding = only(checks.pileus(patient))
    assert (finding.verdict, finding.to_do) == ("wrong", "pileus up")


def test_no_host_has_registered(patient: Patient) -> None:
    assert "None has registered" in only(checks.hosts(patient)).says


def test_a_host_that_is_silent(patient: Patient) -> None:
    host(patient, last_seen=now() - timedelta(minutes=5))
    finding = only(checks.hosts(patient))
    assert finding.verdict == "wrong"
    assert "last heard of 300 s ago" in finding.says


def test_a_host_says_what_is_wrong(patient: Patient) -> None:
    host(patient, problems=["metadata is not served in network n: no room"])
    assert [finding.verdict for finding in checks.hosts(patient)] == ["good", "wrong"]


@pytest.mark.parametrize(
    ("total", "free", "verdict"),
    [(1000, 500, "good"), (1000, 90, "good"), (100, 6, "good"), (40, 3, "wrong"), (1000, 0.1, "wrong")],
)
def test_w45_a_disk_that_fills_is_said(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, total: int, free: float, verdict: str
) -> None:
    gib = 1 << 30
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(total * gib, (total - free) * gib, free * gib))
    finding = only(checks.disk(patient))
    assert finding.verdict == verdict
    assert f"of {total} are free" in finding.says


def test_a_clock_that_was_set_back(patient: Patient) -> None:
    host(patient)
    assert list(checks.clock(patient)) == []
    with patient.db.write() as tx:
        hosts.update(tx, "h1", {"last_seen": now() + timedelta(hours=1)})
    assert "behind what the database holds" in only(checks.clock(patient)).says


def test_policy_files(patient: Patient) -> None:
    folder = patient.state_dir / "policy.d"
    (folder / "compute.yaml").write_text('"os_compute_api:servers:create": "role:admin and ((("')
    (folder / "network.yaml").write_text('"create_everything": "!"')
    (folder / "identity.yaml").write_text('"identity:get_user": "role:reader"')
    (folder / "nova.yaml").write_text("{}")
    found = {finding.about: finding for finding in checks.policies(patient)}
    assert "can't be read" in found["policy compute.yaml"].says
    assert "unknown rules: create_everything" in found["policy network.yaml"].says
    assert found["policy identity.yaml"].verdict == "good"
    assert "No service reads this file" in found["policy nova.yaml"].says
    for service in services():
        if service.policy is not None:
            service.policy.override_by(
                folder / "none.yaml"
            )  # the rules are the process's: others go on with the defaults


def test_daemons_of_a_sim_cloud_are_none(patient: Patient) -> None:
    (patient.state_dir / "run/daemons.json").write_text(json.dumps(DAEMONS))
    assert list(checks.daemons(patient)) == []


def test_what_is_wrong_comes_first_and_decides_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    found = [good("a", "fine"), warning("b", "hm"), wrong("c", "bad [red]\x1b[2J", "row c", "mend it")]
    assert [finding.about for finding in by_priority(found)] == ["c", "b", "a"]
    assert show(found) == 1
    said = capsys.readouterr().out
    assert "c: bad [red]?[2J" in said
    assert "looked at: row c" in said
    assert "to do: mend it" in said
    assert show(found[:2]) == 0


def test_w07_a_host_whose_underlay_carries_less_than_a_network_needs(patient: Patient) -> None:
    with patient.db.write() as tx:
        network = networks.create_network(tx, system_caller(), NetworkCreate(name="n", project_id="p"))
        assert network.mtu == 1442
        chassis.see_host(tx, "h1", "192.0.2.1", "")
        chassis.note_mtu(tx, "h1", 1500)
    assert list(checks.mtu(patient)) == []
    with patient.db.write() as tx:
        chassis.see_host(tx, "h2", "192.0.2.2", "")
        chassis.note_mtu(tx, "h2", 1400)
        later = networks.create_network(tx, system_caller(), NetworkCreate(name="later", project_id="p"))
    finding = only(checks.mtu(patient))
    assert finding.about == f"network {network.id}"
    assert "192.0.2.2" in finding.says
    assert later.mtu == 1400 - 58
