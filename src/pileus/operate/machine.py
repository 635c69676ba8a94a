"""This machine as a host of real guests: its daemons, its accelerator, its bridges."""

from __future__ import annotations

from pileus.core.config import Settings, host_name
from pileus.core.tls import Folder
from pileus.operate.membership import Member
from pileus.operate.options import OptionError
from pileus.supervise import accelerator, host_network, libvirt, ovn, ovs, tunnels
from pileus.supervise.daemon import Daemon
from pileus.supervise.host_network import BadInterface, ExternalNetwork
from pileus.supervise.supervisor import StartFailed, Supervisor

PHYSICAL_NETWORK = "public"
"""What OVN calls the network behind the external bridge."""


class Machine:
    """Starts what real guests need; `release` leaves it running for the next Pileus, as guests need it.

    `member`: of whose cloud this machine is a host; None for the machine whose `pileus up` made the cloud.
    """

    def __init__(self, settings: Settings, member: Member | None = None) -> None:
        self._settings, self._member = settings, member
        self.accelerator = accelerator.probe(settings.state_dir)
        self.supervisor = Supervisor(settings.state_dir, self._daemons())

    def started(self) -> Machine:
        """Raises OptionError where the machine does not let it start."""
        try:
            self._start()
        except (StartFailed, BadInterface, OSError) as error:
            raise OptionError(f"This machine's daemons could not be started. {error}") from None
        return self

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

    def _start(self) -> None:
        self.supervisor.start()
        if self._settings.southbound and self._member is None:
            here = self._settings.state_dir, self._settings.host
            ovn.listen_to_hosts(*here, Folder(self._settings.tls))
            ovn.listen_to_controllers(*here, Folder(self._settings.tls_of_ovn))
        host_network.set_up(self._settings.state_dir, self._externals())

    def _daemons(self) -> list[Daemon]:
        settings = self._settings
        state_dir = settings.state_dir
        chassis = ovn.Chassis(
            system_id=host_name(),
            hostname=host_name(),
            encap_ip=settings.host if settings.secure else "127.0.0.1",
            southbound=self._member.southbound if self._member else "",
            tls=Folder(settings.tls) if self._member else None,
        )
        return [
            *ovs.daemons(state_dir, ready=self._tunnels),
            *(ovn.central_daemons(state_dir, settings.secure) if self._member is None else []),
            *ovn.host_daemons(state_dir, chassis),
            *libvirt.daemons(state_dir, self.accelerator.kind == "kvm"),
        ]

    def _tunnels(self) -> None:
        if self._settings.secure:
            tunnels.ensure(self._settings.state_dir, self._settings.host)

    def _externals(self) -> list[ExternalNetwork]:
        """A host that has joined reaches external networks by a card of its own, or not at all."""
        settings = self._settings
        first = self._member is None
        if not first and settings.external_interface is None:
            return []
        return [
            ExternalNetwork(
                name=PHYSICAL_NETWORK,
                bridge=settings.external_bridge,
                addresses=(settings.external_address,) if first else (),
                interface=settings.external_interface or "",
                masquerade=first,
            )
        ]
