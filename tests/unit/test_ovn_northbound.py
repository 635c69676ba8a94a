"""What the northbound database should hold, for any topology: well-formed, and the same for the same rows."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileus.services.network import protocols
from pileus.services.network.ovn.northbound import desired
from pileus.services.network.ovn.rows import CHILDREN, Rows, diff
from pileus.services.network.ovn.security import match
from pileus.services.network.ovn.topology import (
    AddressGroup,
    Chassis,
    FloatingIp,
    Network,
    Port,
    Router,
    Rule,
    SecurityGroup,
    Subnet,
    Topology,
)

OWNERS = ("compute:nova", "", "network:distributed", "network:floatingip")
GROUPS = ("g1", "g2", "g3")


@st.composite
def subnets(draw: st.DrawFn, network: str, number: int) -> Subnet:
    version = draw(st.sampled_from([4, 6]))
    cidr = f"10.{number}.0.0/24" if version == 4 else f"2001:db8:{number}::/64"
    gateway = cidr.split("/", 1)[0].removesuffix("0") + "1"
    return Subnet(
        id=f"{network}-s{number}",
        network_id=network,
        ip_version=version,
        cidr=cidr,
        gateway_ip=draw(st.sampled_from([None, gateway])),
        enable_dhcp=draw(st.booleans()),
        ipv6_ra_mode=draw(st.sampled_from([None, "slaac", "dhcpv6-stateful"])) if version == 6 else None,
        ipv6_address_mode=draw(st.sampled_from([None, "slaac", "dhcpv6-stateless"])) if version == 6 else None,
        dns_nameservers=draw(st.sampled_from([[], ["9.9.9.9"]])),
        host_routes=draw(st.sampled_from([[], [{"destination": "192.0.2.0/24", "nexthop": "10.0.0.9"}]])),
    )


@st.composite
def ports(draw: st.DrawFn, name: str, number: int, network: Network, owner: str, device: str = "") -> Port:
    fixed = [
        (subnet.id, subnet.cidr.split("/", 1)[0].removesuffix("0") + str(10 + number))
        for subnet in draw(st.lists(st.sampled_from(network.subnets), unique_by=lambda s: s.id))
    ] if network.subnets else []  # fmt: skip
    guest = not owner.startswith("network:")
    return Port(
        id=name,
        network_id=network.id,
        mac_address=f"fa:16:3e:00:00:{number:02x}",
        admin_state_up=draw(st.booleans()),
        device_id=device,
        device_owner=owner,
        port_security_enabled=guest and draw(st.booleans()),
        binding_host=draw(st.sampled_from(["", "host"])),
        allowed_address_pairs=draw(st.sampled_from([[], [{"ip_address": "192.0.2.7", "mac_address": ""}]])),
        extra_dhcp_opts=draw(st.sampled_from([[], [{"opt_name": "mtu", "opt_value": "1280", "ip_version": 4}]])),
        dns_name=draw(st.sampled_from(["", "box"])),
        fixed_ips=fixed,
        security_groups=draw(st.lists(st.sampled_from(GROUPS), unique=True)) if guest else [],
    )


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    found = []
    for n in range(draw(st.integers(0, 3))):
        network = Network(f"n{n}", draw(st.booleans()), 1442, "", draw(st.sampled_from(["", "public"])), None)
        network.subnets = [draw(subnets(network.id, 8 * n + s)) for s in range(draw(st.integers(0, 3)))]
        for p in range(draw(st.integers(0, 4))):
            network.ports.append(draw(ports(f"n{n}-p{p}", p, network, draw(st.sampled_from(OWNERS)))))
        found.append(network)
    routers = []
    for r in range(draw(st.integers(0, 2)) if found else 0):
        router = Router(f"r{r}", True, draw(st.booleans()), None, [])
        for p, network in enumerate(draw(st.lists(st.sampled_from(found), unique_by=lambda n: n.id))):
            is_gateway = draw(st.booleans()) and router.gateway_port_id is None
            owner = "network:router_gateway" if is_gateway else "network:router_interface"
            port = draw(ports(f"r{r}-p{p}", 100 + 10 * r + p, network, owner, router.id))
            router.gateway_port_id = port.id if is_gateway else router.gateway_port_id
            router.ports.append(port)
            network.ports.append(port)
        router.floating_ips = [FloatingIp(f"r{r}-f", "172.24.4.9", "10.0.0.10", router.id)]
        routers.append(router)
    groups = [
        SecurityGroup(name, True, [Rule(f"{name}-r", name, "ingress", "IPv4", None, None, None, None, other, address)])
        for name, other, address in zip(GROUPS, ("g2", None, "g3"), (None, "a1", None), strict=True)
    ]
    chassis = draw(st.sampled_from([[], [Chassis("c1", "host", frozenset({"public"}))]]))
    return Topology(found, routers, groups, [AddressGroup("a1", ["10.0.0.0/8", "2001:db8::/32"])], chassis)


@settings(deadline=None)
@given(topologies())
def test_rows_refer_to_rows_that_are_there(topology: Topology) -> None:
    rows = desired(topology)
    for row in rows.values():
        for column, names in row.refs.items():
            assert names
            assert all((CHILDREN[f"{row.table}.{column}"], name) in rows for name in names)


@settings(deadline=None)
@given(topologies())
def test_what_ovsdb_would_drop_or_refuse_is_never_made(topology: Topology) -> None:
    """Rows without a parent vanish, names are unique, a router's port has an address, options have one value."""
    rows = desired(topology)
    children = {"Logical_Switch_Port", "Logical_Router_Port", "Logical_Router_Static_Route", "NAT", "ACL"}
    held = {
        (CHILDREN[f"{row.table}.{column}"], name)
        for row in rows.values()
        for column, names in row.refs.items()
        for name in names
        if row.table != "Port_Group" or column == "acls"
    }
    assert {key for key in rows if key[0] in children} <= held
    names = [(row.table, row.columns["name"]) for row in rows.values() if "name" in row.columns]
    assert len(names) == len(set(names))
    for (table, _), row in rows.items():
        if table == "Logical_Router_Port":
            assert row.columns["networks"]
        if table == "Logical_Switch_Port":
            assert all(len(row.refs.get(f"dhcpv{version}_options", ())) <= 1 for version in (4, 6))


@settings(deadline=None)
@given(topologies(), st.randoms())
def test_the_order_of_rows_does_not_matter(topology: Topology, random: Random) -> None:
    before = desired(topology)
    for rows in (topology.networks, topology.routers, topology.security_groups):
        random.shuffle(rows)
    for network in topology.networks:
        random.shuffle(network.ports)
    assert not diff(before, desired(topology))


def test_every_protocol_that_a_rule_may_name_has_a_match() -> None:
    for protocol in (*protocols.NUMBERS, *map(str, range(256))):
        for ethertype in ("IPv4", "IPv6"):
            rule = Rule("id", "sg", "ingress", ethertype, protocol, None, None, None, None, None)
            assert match(rule).startswith("ip"), protocol


def test_an_empty_cloud_has_nothing_but_the_groups_for_all_guests() -> None:
    assert {table for table, _ in desired(Topology())} == {"Port_Group", "ACL"}
    assert isinstance(desired(Topology()), Rows)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, "ip4"),
        ({"ethertype": "IPv6", "protocol": "icmp"}, "ip6 && icmp6"),
        ({"ethertype": "IPv6", "protocol": "ipv6-icmp", "low": 128}, "ip6 && icmp6 && icmp6.type == 128"),
        ({"protocol": "icmp", "low": 8, "high": 0}, "ip4 && icmp4 && icmp4.type == 8 && icmp4.code == 0"),
        ({"protocol": "tcp", "low": 22, "high": 22}, "ip4 && tcp && tcp.dst == 22"),
        ({"protocol": "17", "low": 1, "high": 9}, "ip4 && udp && udp.dst >= 1 && udp.dst <= 9"),
        ({"protocol": "tcp", "low": 1, "high": 65535}, "ip4 && tcp"),
        ({"protocol": "sctp"}, "ip4 && sctp"),
        ({"protocol": "vrrp"}, "ip4 && ip.proto == 112"),
        ({"protocol": "47", "prefix": "10.0.0.0/8"}, "ip4 && ip4.src == 10.0.0.0/8 && ip.proto == 47"),
        ({"prefix": "0.0.0.0/0"}, "ip4"),
        ({"protocol": "ip"}, "ip4"),
        ({"protocol": "0"}, "ip4"),
        ({"protocol": "58"}, "ip4 && ip.proto == 58"),
        ({"protocol": "udplite"}, "ip4 && ip.proto == 136"),
        ({"protocol": "dccp", "low": 5, "high": 9}, "ip4 && 0"),
        ({"direction": "egress", "group": "a-b"}, "ip4 && ip4.dst == $pg_a_b_ip4"),
        ({"ethertype": "IPv6", "group": "a-b"}, "ip6 && ip6.src == $pg_a_b_ip6"),
        ({"addresses": "a-b"}, "ip4 && ip4.src == $as_a_b_ip4"),
    ],
)
def test_a_rule_in_ovns_words(rule: dict[str, object], expected: str) -> None:
    names = ("direction", "ethertype", "protocol", "low", "high", "prefix", "group", "addresses")
    values = [{"direction": "ingress", "ethertype": "IPv4", **rule}.get(name) for name in names]
    assert match(Rule("id", "sg", *values)) == expected  # type: ignore[arg-type]
