"""What other services call; each in the caller's transaction."""

from pileus.services.network.rules.bindings import (
    bare_ports_of_devices,
    bind_port,
    floating_ip_at,
    port_of,
    port_wired,
    ports_of_devices,
    security_group_rules,
    security_groups_named,
    set_security_groups,
    unbind_port,
)
from pileus.services.network.rules.chassis import forget_host, note_alive, note_mtu, see_host
from pileus.services.network.rules.floating_ips import associate as associate_floating_ip
from pileus.services.network.rules.metadata import metadata_ports
from pileus.services.network.rules.networks import (
    default_networks,
    network_for_ports,
    underlay_mtu_in_use,
    visible_network,
)
from pileus.services.network.rules.ports import (
    add_fixed_ip,
    create_port,
    delete_port,
    remove_fixed_ip,
    visible_port,
)
from pileus.services.network.rules.security_groups import visible_security_group
from pileus.services.network.types.ports import FixedIp, FixedIpWish, PortDetail, PortWish
from pileus.services.network.types.rows import NetworkRow, PortRow, SecurityGroupRow, SecurityGroupRuleRow, SubnetRow

__all__ = [
    "FixedIp",
    "FixedIpWish",
    "NetworkRow",
    "PortDetail",
    "PortRow",
    "PortWish",
    "SecurityGroupRow",
    "SecurityGroupRuleRow",
    "SubnetRow",
    "add_fixed_ip",
    "associate_floating_ip",
    "bare_ports_of_devices",
    "bind_port",
    "create_port",
    "default_networks",
    "delete_port",
    "floating_ip_at",
    "forget_host",
    "metadata_ports",
    "network_for_ports",
    "note_alive",
    "note_mtu",
    "port_of",
    "port_wired",
    "ports_of_devices",
    "remove_fixed_ip",
    "security_group_rules",
    "security_groups_named",
    "see_host",
    "set_security_groups",
    "unbind_port",
    "underlay_mtu_in_use",
    "visible_network",
    "visible_port",
    "visible_security_group",
]
