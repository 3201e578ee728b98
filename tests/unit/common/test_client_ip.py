from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.client_ip import IpPolicy, cut_context, stored_ip, told_ip

IPV4 = st.ip_addresses(v=4)
IPV6 = st.ip_addresses(v=6)
POLICIES: tuple[IpPolicy, ...] = ("off", "truncated", "full")


def same_network(one: str, other: str) -> bool:
    """Say whether no more than the network of an address can be told from what is stored."""
    return stored_ip(one, "truncated") == stored_ip(other, "truncated")


@given(IPV4, st.integers(0, 255))
def test_of_ipv4_the_last_byte_is_not_stored(address: IPv4Address, host: int) -> None:
    neighbour = IPv4Address(int(address) & ~0xFF | host)

    stored = stored_ip(str(address), "truncated")

    assert same_network(str(address), str(neighbour))
    assert stored is not None
    assert int(ip_address(stored)) == int(address) & ~0xFF


@given(IPV6, st.integers(0, 2**80 - 1))
def test_of_ipv6_the_last_80_bits_are_not_stored(address: IPv6Address, rest: int) -> None:
    neighbour = IPv6Address(int(address) >> 80 << 80 | rest)

    if address.ipv4_mapped is None and neighbour.ipv4_mapped is None:
        assert same_network(str(address), str(neighbour))


@given(IPV4, st.integers(0, 255))
@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda ip: f"::ffff:{ip}", id="mapped"),
        pytest.param(lambda ip: f"::FFFF:{int(ip) >> 16:x}:{int(ip) & 0xFFFF:x}", id="mapped, hex"),
        pytest.param(lambda ip: str(IPv6Address(0x2002 << 112 | int(ip) << 80)), id="6to4"),
        pytest.param(lambda ip: f" {ip} ", id="spaces"),
    ],
)
def test_no_spelling_keeps_the_last_byte_of_ipv4(
    wrap: Any, address: IPv4Address, host: int
) -> None:
    neighbour = IPv4Address(int(address) & ~0xFF | host)

    stored = stored_ip(wrap(address), "truncated")

    assert stored == stored_ip(wrap(neighbour), "truncated") == stored_ip(str(address), "truncated")


def test_a_6to4_address_cut_to_48_bits_would_keep_all_of_its_ipv4() -> None:
    whole = IPv6Address("2002:cb00:714d::1")

    naive = IPv6Address(int(whole) >> 80 << 80)

    assert naive.sixtofour == IPv4Address("203.0.113.77")
    assert stored_ip(str(whole), "truncated") == "203.0.113.0"


@given(st.one_of(IPV4, IPV6))
def test_full_keeps_every_bit_and_off_none(address: IPv4Address | IPv6Address) -> None:
    stored = stored_ip(str(address), "full")

    assert stored is not None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    assert ip_address(stored) == (mapped or address)
    assert stored_ip(str(address), "off") is None


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_nothing(text: str) -> None:
    for policy in POLICIES:
        stored = stored_ip(text, policy)
        assert stored is None or ip_address(stored)


@pytest.mark.parametrize("text", ["$remote", "", "203.0.113", "203.0.113.77:443", "1" * 1000])
def test_what_is_no_address_is_not_stored(text: str) -> None:
    assert stored_ip(text, "full") is None


def test_a_zone_is_not_stored() -> None:
    assert stored_ip("fe80::1%eth0", "full") == "fe80::1"


@pytest.mark.parametrize("name", ["ip", "ip_address", "ipAddress", "$ip"])
def test_a_context_tells_the_address_that_may_be_stored(name: str) -> None:
    context = {name: "203.0.113.77", "locale": "de"}

    assert told_ip(context, "truncated") == "203.0.113.0"
    assert told_ip(context, "off") is None
    assert cut_context(context, "truncated") == {name: "203.0.113.0", "locale": "de"}
    assert cut_context(context, "off") == {"locale": "de"}
    assert cut_context(context, "full") == context


@given(
    st.dictionaries(
        st.sampled_from(["ip", "$ip", "ipAddress", "ip_address", "locale"]),
        st.one_of(IPV4.map(str), IPV6.map(str), st.integers(), st.none(), st.just("$remote")),
    )
)
def test_a_context_keeps_no_whole_address_and_nothing_else_is_lost(context: dict[str, Any]) -> None:
    for policy in POLICIES[:2]:
        kept = cut_context(context, policy)

        assert kept.get("locale") == context.get("locale")
        for name, value in kept.items():
            if name != "locale":
                assert policy == "truncated"
                assert value == stored_ip(str(value), "truncated")


def test_a_context_is_not_changed_under_its_owner() -> None:
    context = {"ip": "203.0.113.77"}

    cut_context(context, "truncated")

    assert context == {"ip": "203.0.113.77"}
