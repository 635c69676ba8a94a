"""This host's part of the cloud's networks: the integration bridge, external bridges, the way out.

Every function may be called again at any time. What `set_up` changed outside Open vSwitch is noted in the state
directory, so that `clear` gives the host back as it was.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_interface
from pathlib import Path
from socket import AF_INET, AF_INET6
from zlib import crc32

from pyroute2 import IPRoute

from pileus.supervise import ovs

NFT_TABLE = "pileus"
_NO_TABLE = (f"add table inet {NFT_TABLE}", f"delete table inet {NFT_TABLE}")
_FORWARDING = {4: Path("/proc/sys/net/ipv4/ip_forward"), 6: Path("/proc/sys/net/ipv6/conf/all/forwarding")}


@dataclass(frozen=True)
class ExternalNetwork:
    """A physical network as OVN's `network_name` knows it, and how this host takes part in it."""

    name: str
    bridge: str = "br-ex"
    addresses: tuple[str, ...] = ()
    """The host's own addresses on it ('172.24.4.1/24'), by which it reaches floating IPs and is their gateway."""
    interface: str = ""
    """A network card to join to the bridge; empty for a network that lives on this host alone."""
    masquerade: bool = False
    """Forward what comes from these networks, with this host's address, to wherever the host itself can reach."""


class BadInterface(Exception):
    """An option names an interface that cannot be used; the text says what could be."""


def set_up(state_dir: Path, externals: Sequence[ExternalNetwork]) -> None:
    """Bring bridges, addresses, forwarding and masquerading to what is asked. Needs a running Open vSwitch."""
    for external in externals:
        if external.interface:
            check_uplink(external.interface, f"the interface of external network {external.name}", external.bridge)
    _bridges(state_dir, externals)
    for external in externals:
        _address(external)
    masqueraded = [external for external in externals if external.masquerade and external.addresses]
    _masquerade(state_dir, masqueraded)
    for version in {ip_interface(address).version for external in masqueraded for address in external.addresses}:
        _forward(state_dir, version)


def clear(state_dir: Path) -> None:
    """Undo what `set_up` changed outside Open vSwitch, and remove what Open vSwitch leaves behind when it is gone."""
    if table(state_dir):
        _nft(*_NO_TABLE)
    note = _note(state_dir)
    if note.exists():
        for version, value in json.loads(note.read_text()).items():
            _FORWARDING[int(version)].write_text(value)
        note.unlink()
    with IPRoute() as ip:
        for name in (*links(state_dir), *ovs.orphans(state_dir)):
            ip.link("del", index=_index(ip, name))


def links(state_dir: Path) -> list[str]:
    """Interfaces that carry this state directory's mark, which is their alias (`ip link` shows it)."""
    with IPRoute() as ip:
        ours = [link for link in ip.get_links() if link.get_attr("IFLA_IFALIAS") == str(state_dir)]
        return [link.get_attr("IFLA_IFNAME") for link in ours]


def table(state_dir: Path) -> str:
    """Our table of packet filter rules, which names the state directory; empty if there is none."""
    run = subprocess.run(["nft", "list", "table", "inet", NFT_TABLE], capture_output=True, text=True)
    return run.stdout if f'"{state_dir}"' in run.stdout else ""


def namespace_prefix(state_dir: Path) -> str:
    """How the names of this state directory's network namespaces begin."""
    return f"pileus-{crc32(os.fsencode(state_dir)):08x}-"


def _bridges(state_dir: Path, externals: Sequence[ExternalNetwork]) -> None:
    for external in externals:
        ovs.ensure_bridge(state_dir, external.bridge)
        if external.interface:
            ovs.vsctl(state_dir, "--may-exist", "add-port", external.bridge, external.interface)
    mappings = ",".join(f"{external.name}:{external.bridge}" for external in externals)
    ovs.set_external_ids(state_dir, {"ovn-bridge-mappings": mappings})
    bridges = [external.bridge for external in externals]
    with IPRoute() as ip:
        for name in (*bridges, *(external.interface for external in externals if external.interface)):
            ip.link("set", index=_index(ip, name), state="up")


def _address(external: ExternalNetwork) -> None:
    with IPRoute() as ip:
        index = _index(ip, external.bridge)
        for address in external.addresses:
            interface = ip_interface(address)
            ip.addr("replace", index=index, address=str(interface.ip), prefixlen=interface.network.prefixlen)


def _masquerade(state_dir: Path, externals: Sequence[ExternalNetwork]) -> None:
    rules = []
    for external in externals:
        for interface in map(ip_interface, external.addresses):
            family = "ip" if interface.version == 4 else "ip6"
            rules.append(f'{family} saddr {interface.network} oifname != "{external.bridge}" masquerade')
    chain = ["chain outgoing {", "type nat hook postrouting priority srcnat", *rules, "}"]
    wanted = [f"table inet {NFT_TABLE} {{", f'comment "{state_dir}"', *chain, "}"] if rules else []
    _nft(*_NO_TABLE, *wanted)


def _nft(*lines: str) -> None:
    run = subprocess.run(["nft", "-f", "-"], input="\n".join((*lines, "")), capture_output=True, text=True)
    if run.returncode:
        raise OSError(f"nft refused our rules: {run.stderr.strip()}")


def _forward(state_dir: Path, version: int) -> None:
    setting, note = _FORWARDING[version], _note(state_dir)
    before = setting.read_text().strip()
    if before == "0":
        noted = json.loads(note.read_text()) if note.exists() else {}
        note.write_text(json.dumps({**noted, str(version): before}))
        setting.write_text("1")


def _note(state_dir: Path) -> Path:
    return state_dir / "run/forwarding-before.json"


def check_interface(name: str, option: str) -> None:
    """Raises BadInterface if there is no such interface, listing those that exist with state and addresses."""
    with IPRoute() as ip:
        if name not in _names(ip).values():
            raise BadInterface(f"{option} is {name!r}, but there is no such interface. {_existing(ip)}")


def check_uplink(name: str, option: str, bridge: str) -> None:
    """Raises BadInterface if joining the interface to a bridge would cut the host off: it has an address or the
    default route, which a bridge's port cannot serve."""
    check_interface(name, option)
    with IPRoute() as ip:
        index = _index(ip, name)
        carries = [f"address {address}" for address in _addresses(ip).get(index, []) if not _link_local(address)]
        for family, title in ((AF_INET, "IPv4"), (AF_INET6, "IPv6")):
            routes = ip.get_default_routes(family=family)
            carries += [f"the default {title} route" for route in routes if route.get_attr("RTA_OIF") == index][:1]
        if carries:
            raise BadInterface(
                f"{option} is {name!r}, which carries this host's {', '.join(carries)}. As a port of {bridge} it"
                " could no longer serve them: name an interface without addresses, or move them to the bridge first."
                f" {_existing(ip)}"
            )


def _existing(ip: IPRoute) -> str:
    addresses = _addresses(ip)
    lines = ["Interfaces of this host:"]
    for link in ip.get_links():
        has = addresses.get(link["index"], ["no address"])
        lines.append(f"  {link.get_attr('IFLA_IFNAME')}: {link.get('state')}, {', '.join(has)}")
    return "\n".join(lines)


def _names(ip: IPRoute) -> dict[int, str]:
    return {link["index"]: link.get_attr("IFLA_IFNAME") for link in ip.get_links()}


def _index(ip: IPRoute, name: str) -> int:
    return next(index for index, known in _names(ip).items() if known == name)


def _addresses(ip: IPRoute) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for address in ip.get_addr():
        found.setdefault(address["index"], []).append(f"{address.get_attr('IFA_ADDRESS')}/{address['prefixlen']}")
    return found


def _link_local(address: str) -> bool:
    return ip_interface(address).is_link_local
