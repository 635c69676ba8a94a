"""Security group rules: what is taken, what is refused, and when two are the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileus.core.errors import BadRequest
from pileus.services.network import protocols
from pileus.services.network.rules.security_groups import checked_rule, meaning
from pileus.services.network.types.security_groups import SecurityGroupRuleCreate

names = st.sampled_from(sorted(protocols.NUMBERS))
anything = st.one_of(st.none(), names, st.integers(-5, 300), st.text(max_size=8), st.integers(0, 255).map(str))
ports = st.one_of(st.none(), st.integers(-10, 70000), st.integers(0, 255))
prefixes = st.one_of(st.none(), st.sampled_from(["10.0.0.0/8", "10.1.2.3", "fd00::/8", "::1", "x", "10.0.0.0/99"]))


def rule(**fields: object) -> SecurityGroupRuleCreate:
    return SecurityGroupRuleCreate(security_group_id="g", **{"direction": "ingress", **fields})  # type: ignore[arg-type]


@settings(deadline=None)
@given(
    st.sampled_from(["ingress", "egress", "EGRESS", "up"]),
    st.sampled_from([None, "IPv4", "IPv6", "ipv6", "IPX"]),
    anything,
    ports,
    ports,
    prefixes,
)
def test_a_rule_is_sound_or_refused(
    direction: str,
    ethertype: str | None,
    protocol: str | int | None,
    low: int | None,
    high: int | None,
    prefix: str | None,
) -> None:
    wish = rule(
        direction=direction,
        ethertype=ethertype,
        protocol=protocol,
        port_range_min=low,
        port_range_max=high,
        remote_ip_prefix=prefix,
    )
    try:
        row = checked_rule(wish)
    except BadRequest:
        return
    assert row.direction in ("ingress", "egress")
    assert row.ethertype in ("IPv4", "IPv6")
    number = None if row.protocol is None else protocols.number(row.protocol, row.ethertype)
    assert (number is None) == (row.protocol is None)
    if number in protocols.WITH_PORTS and row.port_range_min is not None:
        assert row.port_range_max is not None
        assert 0 <= row.port_range_min <= row.port_range_max <= 65535
    elif number in protocols.ICMP:
        assert all(value is None or 0 <= value <= 255 for value in (row.port_range_min, row.port_range_max))
    else:
        assert (row.port_range_min, row.port_range_max) == (None, None)
    if row.remote_ip_prefix is not None:
        assert (":" in row.remote_ip_prefix) == (row.ethertype == "IPv6")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"protocol": "tcp"}, {"protocol": 6}),
        ({"protocol": "icmpv6", "ethertype": "IPv6"}, {"protocol": "icmp", "ethertype": "IPv6"}),
        ({"protocol": "ipv6-icmp", "ethertype": "IPv6"}, {"protocol": "58", "ethertype": "IPv6"}),
        ({"remote_ip_prefix": "10.0.0.1/8"}, {"remote_ip_prefix": "10.0.0.0/8"}),
        ({"ethertype": None, "protocol": "any"}, {"ethertype": "IPv4"}),
    ],
)
def test_the_same_said_differently(one: dict[str, object], other: dict[str, object]) -> None:
    assert meaning(checked_rule(rule(**one))) == meaning(checked_rule(rule(**other)))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"protocol": "tcp", "port_range_min": 2, "port_range_max": 1}, "SecurityGroupInvalidPortRange"),
        ({"protocol": "tcp", "port_range_min": 80}, "SecurityGroupInvalidPortRange"),
        ({"protocol": "udp", "port_range_min": 0, "port_range_max": 9}, "SecurityGroupInvalidPortRange"),
        ({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65536}, "SecurityGroupInvalidPortValue"),
        ({"port_range_min": 1, "port_range_max": 2}, "SecurityGroupProtocolRequiredWithPorts"),
        ({"protocol": "icmp", "port_range_max": 1}, "SecurityGroupMissingIcmpType"),
        ({"protocol": "icmp", "port_range_min": 256}, "SecurityGroupInvalidIcmpValue"),
        ({"protocol": "gre", "port_range_min": 1, "port_range_max": 2}, "SecurityGroupInvalidProtocolForPort"),
        ({"protocol": "smtp"}, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": 256}, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": "ipv6-icmp"}, "SecurityGroupEthertypeConflictWithProtocol"),
        ({"remote_ip_prefix": "fd00::/8"}, "SecurityGroupRuleParameterConflict"),
        ({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "g"}, "SecurityGroupMultipleRemoteEntites"),
    ],
)
def test_refusals_have_names(fields: dict[str, object], code: str) -> None:
    with pytest.raises(BadRequest) as refused:
        checked_rule(rule(**fields))
    assert refused.value.code == code
