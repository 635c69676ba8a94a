"""`python -m pileus.node`: the host agent as a process of its own."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import threading
from pathlib import Path

import structlog
import uvicorn

from pileus.node import console
from pileus.node.agent import Agent
from pileus.node.client import ControlPlane
from pileus.node.desired import HostFacts
from pileus.node.host import Host
from pileus.node.ledger import Ledger
from pileus.node.sim import SimulatedHost

log = structlog.get_logger("pileus.agent")


def main() -> int:
    parser = argparse.ArgumentParser(prog="pileus.node", allow_abbrev=False)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--url", required=True, help="the control plane")
    parser.add_argument("--name", default=socket.gethostname().split(".")[0])
    parser.add_argument("--sim", type=int, default=0, metavar="HOSTS", help="simulate so many hosts")
    arguments = parser.parse_args()
    run(arguments.state_dir, arguments.url, arguments.name, arguments.sim)
    return 0


def run(state_dir: Path, url: str, name: str, simulated: int) -> None:
    """Until SIGTERM; guests stay as they are."""
    token = (state_dir / "run" / "host-token").read_text().strip()
    listener = socket.create_server(("127.0.0.1", 0))
    agent_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    hosts: list[tuple[str, Host, Path]] = []
    if simulated:
        names = [name] if simulated == 1 else [f"{name}-{number}" for number in range(1, simulated + 1)]
        for each in names:
            place = state_dir / "sim" / each
            hosts.append((each, SimulatedHost(simulated_facts(each, f"{agent_url}/{each}"), place / "knobs.json"), place))
    else:
        from pileus.node.libvirt_host import LibvirtHost

        hosts.append((name, LibvirtHost(name, state_dir, f"{agent_url}/{name}"), state_dir / "run" / "agent"))
    workers = 8 if len(hosts) == 1 else 2
    agents = [Agent(host, ControlPlane(url, each, token), Ledger(place), workers) for each, host, place in hosts]
    for agent in agents:
        agent.start()
    app = console.make_app({each: host for each, host, _ in hosts}, token)
    server = uvicorn.Server(
        uvicorn.Config(app, loop="uvloop", http="httptools", ws="websockets-sansio", lifespan="off", log_level="warning", access_log=False)
    )
    parent = os.getppid()
    threading.Thread(target=_end_with_parent, args=(parent, server), daemon=True).start()
    server.run(sockets=[listener])
    for agent in agents:
        agent.stop()
        agent.host.close()


def _end_with_parent(parent: int, server: uvicorn.Server) -> None:
    """The process that started us is gone: another one will start another agent."""
    stop = threading.Event()
    while not stop.wait(1.0):
        if os.getppid() != parent:
            server.should_exit = True
            return


def simulated_facts(host: str, agent_url: str) -> HostFacts:
    return HostFacts(
        host=host,
        hypervisor_type="simulated",
        hypervisor_version=1000000,
        accelerator="simulated",
        accelerator_reason="no guest runs here; pileus was started with --sim",
        vcpus=64,
        memory_mb=262144,
        disk_gb=4096,
        address="127.0.0.1",
        agent_url=agent_url,
        cpu_info={"arch": "x86_64", "model": "simulated", "vendor": "Pileus", "topology": {"sockets": 1, "cores": 64, "threads": 1}, "features": []},
        traits=("COMPUTE_NODE",),
    )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise SystemExit(main())
