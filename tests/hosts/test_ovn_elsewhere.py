"""A controller on another machine writes OVN by TLS; the certificate of a host does not open what a controller's does."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pileus.core import authority
from pileus.core.authority import Authority, Role
from pileus.core.tls import Folder
from pileus.services.network.ovn import ovsdb
from pileus.services.network.ovn.southbound import Southbound
from pileus.services.network.reconcile import NetworkReconciler
from pileus.supervise import ovn
from tests.support.cloud import Cloud, Office
from tests.support.lab import Lab, until

pytestmark = pytest.mark.real
AT = "127.0.0.1"
NORTHBOUND, SOUTHBOUND = f"ssl:{AT}:6641", f"ssl:{AT}:6642"


def folder(directory: Path, signer: Authority, role: Role, name: str) -> Folder:
    made = Folder(directory)
    made.keep(signer.sign(authority.request_for(made.ensure_key(), name), role, name), signer.certificate)
    return made


@pytest.fixture(scope="module")
def controller(lab: Lab) -> Folder:
    """Its certificate; OVN of this file listens for it, and for hosts."""
    hosts, controllers = authority.new("of the cloud"), authority.new("of the control plane")
    tls = lab.state_dir / "tls"
    ovn.listen_to_hosts(lab.state_dir, AT, folder(tls, hosts, "control plane", authority.CONTROL_PLANE))
    made = folder(tls / "ovn", controllers, "control plane", authority.CONTROL_PLANE)
    ovn.listen_to_controllers(lab.state_dir, AT, made)
    folder(tls / "host", hosts, "host", "stranger")
    until(lambda: asked("ovn-sbctl", NORTHBOUND, made, "show").returncode == 0)
    return made


def asked(tool: str, database: str, tls: Folder, *words: str) -> "subprocess.CompletedProcess[str]":
    shown = (f"--private-key={tls.key}", f"--certificate={tls.certificate}", f"--ca-cert={tls.authority}")
    command = [tool, f"--db={database}", "--timeout=3", "--no-leader-only", *shown, *words]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    if os.geteuid():
        pytest.skip("needs root")
    made = Lab(controllers_elsewhere=True)
    made.start()
    yield made
    made.stop()


def test_a_controller_elsewhere_brings_networks_into_place_and_forgets_hosts(
    cloud: Cloud, lab: Lab, controller: Folder
) -> None:
    ovsdb.show(controller)
    cloud.reconciler.close()
    cloud.reconciler = NetworkReconciler(cloud.db, NORTHBOUND, NORTHBOUND)
    office = Office(cloud)
    assert office.network in lab.nbctl("list", "Logical_Switch")
    lab.sbctl("chassis-add", "gone", "geneve", "192.0.2.9")
    with closing(Southbound(NORTHBOUND)) as southbound:
        until(lambda: "gone" in {each.name for each in southbound.chassis()})
        southbound.forget(["gone"])
    assert "gone" not in lab.sbctl("--bare", "--columns=name", "list", "Chassis")


def test_a_hosts_certificate_opens_neither_database_where_controllers_come(lab: Lab, controller: Folder) -> None:
    host = Folder(lab.state_dir / "tls/host")
    believing = Folder(lab.state_dir / "tls/host")
    believing.authority = controller.authority
    for shown in (host, believing):
        assert asked("ovn-nbctl", NORTHBOUND, shown, "ls-add", "evil").returncode != 0
        assert asked("ovn-sbctl", NORTHBOUND, shown, "chassis-del", lab.name).returncode != 0
    assert "evil" not in lab.nbctl("show")
    assert asked("ovn-nbctl", NORTHBOUND, controller, "ls-add", "good").returncode == 0


def test_a_host_changes_nothing_of_another_in_the_southbound_database(lab: Lab, controller: Folder) -> None:
    host = Folder(lab.state_dir / "tls/host")
    assert lab.name in asked("ovn-sbctl", SOUTHBOUND, host, "show").stdout
    for words in (
        ("chassis-del", lab.name),
        ("set", "Chassis", lab.name, "hostname=evil"),
        ("set", "SB_Global", ".", "options:evil=1"),
        ("set-connection", "ptcp:6643"),
    ):
        done = asked("ovn-sbctl", SOUTHBOUND, host, *words)
        assert done.returncode != 0, words
        assert "permission error" in done.stderr, done.stderr
