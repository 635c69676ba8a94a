"""Which address comes next, what pools are, what a guest makes of a prefix: for all inputs."""

import ipaddress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileus.core.errors import BadRequest
from pileus.services.network import addresses
from pileus.services.network.addresses import Range

ipv4 = st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address)
ipv6 = st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address)
networks = st.one_of(
    st.tuples(ipv4, st.integers(8, 32)).map(lambda x: ipaddress.ip_network(x, strict=False)),
    st.tuples(ipv6, st.integers(16, 128)).map(lambda x: ipaddress.ip_network(x, strict=False)),
)
macs = st.binary(min_size=6, max_size=6).map(lambda raw: bytes([raw[0] & 0xFE]) + raw[1:]).filter(any)


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 20), st.sets(st.integers(0, 70)))
def test_the_next_address_is_free_and_of_the_pool(first: int, size: int, taken: set[int]) -> None:
    pool = Range(first, first + size)
    found = addresses.next_free(pool, sorted(taken))
    if found is None:
        assert set(range(pool.first, pool.last + 1)) <= taken
    else:
        assert found in pool
        assert found not in taken


@settings(deadline=None)
@given(st.integers(1, 30), st.data())
def test_a_pool_gives_each_address_once_whatever_is_freed_between(size: int, data: st.DataObject) -> None:
    pool, held = Range(10, 9 + size), set[int]()
    for _ in range(60):
        if held and data.draw(st.booleans()):
            held.remove(data.draw(st.sampled_from(sorted(held))))
            continue
        found = addresses.next_free(pool, sorted(held))
        assert (found is None) == (len(held) == size)
        if found is not None:
            assert found not in held
            held.add(found)


@settings(deadline=None)
@given(networks, st.data())
def test_default_pools_are_all_hosts_but_the_gateway(network: addresses.Cidr, data: st.DataObject) -> None:
    whole = addresses.hosts(network)
    gateway = data.draw(
        st.one_of(st.none(), st.integers(whole.first, whole.last).map(type(network.network_address)).map(str))
    )
    pools = addresses.ranges(addresses.default_pools(network, gateway))
    total = sum(pool.last - pool.first + 1 for pool in pools)
    assert total == whole.last - whole.first + 1 - (gateway is not None)
    assert all(a.last < b.first for a, b in pairwise(pools))
    if gateway is not None:
        assert not any(int(ipaddress.ip_address(gateway)) in pool for pool in pools)


@settings(deadline=None)
@given(networks)
def test_default_pools_are_good_pools(network: addresses.Cidr) -> None:
    pools = addresses.default_pools(network, str(addresses.default_gateway(network)))
    assert addresses.checked_pools(pools, network) == pools


@settings(deadline=None)
@given(networks, st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=4))
def test_pools_are_inside_apart_and_in_order_or_refused(network: addresses.Cidr, ends: list[tuple[int, int]]) -> None:
    kind, first, most = (
        type(network.network_address),
        int(network[0]),
        int(network[0].__class__(2**network.max_prefixlen - 1)),
    )
    given_pools = [{"start": str(kind(min(first + a, most))), "end": str(kind(min(first + b, most)))} for a, b in ends]
    try:
        found = addresses.ranges(addresses.checked_pools(given_pools, network))  # type: ignore[arg-type]
    except BadRequest:
        return
    whole = addresses.hosts(network)
    assert all(pool.first in whole and pool.last in whole and pool.first <= pool.last for pool in found)
    assert all(a.last < b.first for a, b in pairwise(found))


@settings(deadline=None)
@given(st.one_of(ipv4, ipv6), st.one_of(ipv4, ipv6))
def test_packed_addresses_sort_as_numbers(a: addresses.Ip, b: addresses.Ip) -> None:
    assert (addresses.pack(a) < addresses.pack(b)) == (int(a) < int(b))


@settings(deadline=None)
@given(ipv6.map(lambda a: ipaddress.ip_network((a, 64), strict=False)), macs, macs)
def test_eui64_is_of_the_prefix_and_differs_by_mac(network: ipaddress.IPv6Network, one: bytes, other: bytes) -> None:
    first, second = addresses.eui64(network, one.hex(":")), addresses.eui64(network, other.hex(":"))
    assert first in network
    assert (first == second) == (one == other)


@settings(deadline=None)
@given(macs)
def test_a_mac_is_read_in_all_its_forms(raw: bytes) -> None:
    for text in (raw.hex(":"), raw.hex("-"), raw.hex().upper()):
        assert addresses.checked_mac(text) == raw.hex(":")


@settings(deadline=None)
@given(st.text(max_size=20))
def test_what_is_no_mac_is_refused(text: str) -> None:
    try:
        found = addresses.checked_mac(text)
    except BadRequest:
        return
    assert found == addresses.checked_mac(found)


@pytest.mark.parametrize("text", ["01:00:5e:00:00:01", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"])
def test_group_and_empty_macs_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        addresses.checked_mac(text)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(8, 12), min_size=1, max_size=20))
def test_prefixes_cut_from_a_pool_never_overlap(lengths: list[int]) -> None:
    """A pool of 2**8 /16s (as /8): prefixes of mixed lengths until none is left."""
    taken: list[ipaddress.IPv4Network] = []
    for length in (16 + n - 8 for n in lengths):
        found = addresses.free_prefix(["10.0.0.0/13", "10.128.0.0/14"], map(str, taken), length)
        if found is None:
            continue
        network = ipaddress.IPv4Network(found)
        assert network.prefixlen == length
        assert any(network.subnet_of(ipaddress.IPv4Network(p)) for p in ("10.0.0.0/13", "10.128.0.0/14"))
        assert not any(network.overlaps(other) for other in taken)
        taken.append(network)


def test_a_pool_is_cut_to_the_end() -> None:
    taken: list[str] = []
    while (found := addresses.free_prefix(["10.0.0.0/22"], taken, 24)) is not None:
        taken.append(found)
    assert taken == [f"10.0.{n}.0/24" for n in range(4)]
