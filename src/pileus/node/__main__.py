"""`python -m pileus.node`: the host agent as a process of its own."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from pathlib import Path

import structlog
import uvicorn

from pileus.core import logs
from pileus.core.config import host_name, host_names
from pileus.node import console
from pileus.node.agent import Agent
from pileus.node.client import ControlPlane
from pileus.node.desired import HostFacts
from pileus.node.host import Host
from pileus.node.ledger import Ledger
from pileus.node.sim import SimulatedHost
from pileus.node.way import Joined, Local

log = structlog.get_logger("pileus.agent")


def main() -> int:
    parser = argparse.ArgumentParser(prog="pileus.node", allow_abbrev=False)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--url", required=True, help="the control plane")
    parser.add_argument("--name", default=host_name())
    parser.add_argument("--libvirt", metavar="URI", help="libvirt's connection URI")
    parser.add_argument("--ovs", metavar="CONNECTION", help="where the Open_vSwitch database listens")
    parser.add_argument("--accelerator", choices=("kvm", "tcg"), default="tcg")
    parser.add_argument("--accelerator-reason", default="", help="why this accelerator was chosen")
    parser.add_argument("--datapath", choices=("system", "netdev"), default="netdev")
    parser.add_argument("--namespaces", metavar="PREFIX", default="pileus-", help="how namespaces of ours are named")
    parser.add_argument("--address", default="127.0.0.1", help="this host's address for other hosts")
    parser.add_argument("--mtu", type=int, help="of the interface with that address, which carries tunnels")
    parser.add_argument("--authority", type=Path, metavar="FILE", help="the certificate authority of the control plane")
    parser.add_argument("--joined", type=Path, metavar="DIR", help="the folder of this host's certificates")
    parser.add_argument("--sim", type=int, default=0, metavar="HOSTS", help="simulate so many hosts")
    arguments = parser.parse_args()
    logs.configure()
    run(arguments)
    return 0


def run(given: argparse.Namespace) -> None:
    """Until SIGTERM; guests stay as they are."""
    way = Joined(given.joined, given.address) if given.joined else Local(given.state_dir, given.authority)
    names = host_names(given.name, given.sim)
    hosts: dict[str, Host] = {}
    agents = []
    for name in names:
        control = ControlPlane(given.url, name, way.token, way.context)
        place = given.state_dir / ("sim" if given.sim else "run/agent") / name
        hosts[name] = _host(given, name, f"{way.url}/{name}", control, place)
        agents.append(Agent(hosts[name], control, Ledger(place), workers=8 if len(names) == 1 else 2))
    for agent in agents:
        agent.start()
        way.keep_certified(agent.control)
    server = uvicorn.Server(
        uvicorn.Config(
            console.make_app(hosts, way.proof, given.state_dir / "log" / "agent.log"),
            loop="uvloop",
            http=way.protocol,
            ssl_context_factory=way.ssl_context_factory,
            ws="websockets-sansio",
            lifespan="off",
            log_level="warning",
            access_log=False,
        )
    )
    parent = os.getppid()
    threading.Thread(target=_end_with_parent, args=(parent, server), daemon=True).start()
    server.run(sockets=[way.listener])
    for agent in agents:
        agent.stop()
        agent.host.close()


def _host(given: argparse.Namespace, name: str, agent_url: str, control: ControlPlane, place: Path) -> Host:
    if given.sim:
        return SimulatedHost(simulated_facts(given, name, agent_url), place / "knobs.json", place / "guests")
    from pileus.node.libvirt_host import LibvirtHost, Place
    from pileus.node.vm import Machine

    here = Place(
        name=name,
        state_dir=given.state_dir,
        agent_url=agent_url,
        libvirt_uri=given.libvirt,
        ovs=given.ovs,
        namespaces=given.namespaces,
        machine=Machine(given.accelerator, userspace_datapath=given.datapath == "netdev"),
        accelerator_reason=given.accelerator_reason,
        address=given.address,
        mtu=given.mtu,
    )
    return LibvirtHost(here, control.image, control.leave_password)


def _end_with_parent(parent: int, server: uvicorn.Server) -> None:
    """The process that started us is gone: another one will start another agent."""
    stop = threading.Event()
    while not stop.wait(1.0):
        if os.getppid() != parent:
            server.should_exit = True
            return


def simulated_facts(given: argparse.Namespace, host: str, agent_url: str) -> HostFacts:
    return HostFacts(
        host=host,
        hypervisor_type="simulated",
        hypervisor_version=1000000,
        accelerator="simulated",
        accelerator_reason="no guest runs here; pileus was started with --sim",
        vcpus=64,
        memory_mb=262144,
        disk_gb=4096,
        address=given.address,
        agent_url=agent_url,
        mtu=given.mtu,
        cpu_info={
            "arch": "x86_64",
            "model": "simulated",
            "vendor": "Pileus",
            "topology": {"sockets": 1, "cores": 64, "threads": 1},
            "features": [],
        },
        traits=("COMPUTE_NODE",),
    )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise SystemExit(main())
