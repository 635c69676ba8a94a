"""Compute for behaviour tests: two hosts, and the projects of the personas."""

from tests.support.personas import PROJECT

from pileus.core.config import Settings
from pileus.core.db import Database
from pileus.core.http import Service
from pileus.node.desired import HostFacts
from pileus.services.compute.api import api
from pileus.services.compute.rules import hosts
from pileus.services.identity.store import rows
from pileus.services.identity.types.projects import ProjectRow
from pileus.services.image import api as image
from pileus.services.network import api as network

PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILay7GG1lC0YTMxcizMCORAb1uBP6O5njGL9AVe8i5Rm user@example"
ENVIRON = {"PUBLIC_KEY": PUBLIC_KEY, "PROJECT": PROJECT}


def services() -> list[Service]:
    return [api, image.api, network.api]


def host(name: str, vcpus: int = 8, memory_mb: int = 16384) -> HostFacts:
    return HostFacts(
        host=name,
        hypervisor_type="QEMU",
        hypervisor_version=7002000,
        accelerator="tcg",
        accelerator_reason="for tests",
        vcpus=vcpus,
        memory_mb=memory_mb,
        disk_gb=100,
        address="192.0.2.1",
        agent_url="http://192.0.2.1:9",
        cpu_info={"arch": "x86_64"},
        traits=("HW_CPU_X86_AVX",),
    )


def prepare(db: Database) -> None:
    with db.write() as tx:
        rows.insert(tx, ProjectRow("default", "Default", None, None, True, True, "", {}, {}))
        for project in (PROJECT, "p2"):
            rows.insert(tx, ProjectRow(project, project, "default", None, False, True, "", {}, {}))
        for name in ("host1", "host2"):
            hosts.register(tx, host(name), Settings())
