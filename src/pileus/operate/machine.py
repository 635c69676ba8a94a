"""This machine as a host of real guests: its daemons, its accelerator, its bridges."""

from __future__ import annotations

import socket
from pathlib import Path

from pileus.core.config import Settings
from pileus.supervise import accelerator, host_network, libvirt, ovn, ovs
from pileus.supervise.host_network import ExternalNetwork
from pileus.supervise.supervisor import Supervisor

PHYSICAL_NETWORK = "public"
"""What OVN calls the network behind the external bridge."""


class Machine:
    """Starts what real guests need; `release` leaves it running for the next Pileus, as guests need it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.name = host_name()
        self.accelerator = accelerator.probe(settings.state_dir)
        self.supervisor = supervisor(settings, self.accelerator.kind == "kvm")

    def start(self) -> None:
        self.supervisor.start()
        external = ExternalNetwork(
            name=PHYSICAL_NETWORK,
            bridge=self._settings.external_bridge,
            addresses=(self._settings.external_address,),
            interface=self._settings.external_interface or "",
            masquerade=True,
        )
        host_network.set_up(self._settings.state_dir, [external])

    def release(self) -> None:
        self.supervisor.release()

    def agent_arguments(self) -> list[str]:
        """What the host agent is told of its surroundings."""
        state_dir = self._settings.state_dir
        return [
            *("--libvirt", libvirt.uri(state_dir)),
            *("--ovs", ovs.connection(state_dir)),
            *("--accelerator", self.accelerator.kind),
            *("--accelerator-reason", self.accelerator.reason),
            *("--datapath", ovs.datapath_type(state_dir)),
            *("--namespaces", host_network.namespace_prefix(state_dir)),
        ]


def supervisor(settings: Settings, kvm: bool) -> Supervisor:
    state_dir: Path = settings.state_dir
    chassis = ovn.Chassis(system_id=host_name(), hostname=host_name())
    return Supervisor(
        state_dir,
        [
            *ovs.daemons(state_dir),
            *ovn.central_daemons(state_dir),
            *ovn.host_daemons(state_dir, chassis),
            *libvirt.daemons(state_dir, kvm),
        ],
    )


def host_name() -> str:
    return socket.gethostname().split(".")[0]
