"""How much of a client's address is kept: nothing, its network, or all of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Literal

IpPolicy = Literal["off", "truncated", "full"]
"""``off`` stores no address, ``truncated`` the first 24 bits of IPv4 and 48 of IPv6."""

IN_CONTEXT = ("ip", "ip_address", "ipAddress", "$ip")
"""Members of ``context`` that client libraries put an address into."""
_NAMES = frozenset(IN_CONTEXT)

_LONGEST = 64
"""Characters of an address with a zone; anything longer is none."""
_IPV4_KEPT = 0xFFFFFF00
_IPV6_KEPT = (2**48 - 1) << 80


@lru_cache(maxsize=1_024)
def stored_ip(text: str, policy: IpPolicy) -> str | None:
    """Return an address as it may be stored.

    Parameters
    ----------
    text
        IPv4 or IPv6; surrounding spaces and a zone are passed over. An IPv4 address that is mapped
        into IPv6 is IPv4; one inside a 6to4 address, whose first 48 bits hold all of it, is
        truncated as IPv4.
    policy
        What the operator allows.

    Returns
    -------
    str or None
        In the usual short spelling, without a zone; ``None`` when nothing may be stored, or
        ``text`` is no address.

    Examples
    --------
    >>> stored_ip("203.0.113.77", "truncated"), stored_ip("::ffff:203.0.113.77", "full")
    ('203.0.113.0', '203.0.113.77')
    >>> stored_ip("2001:db8:1:2::3", "truncated")
    '2001:db8:1::'
    >>> stored_ip("203.0.113.77", "off"), stored_ip("$remote", "full")
    (None, None)
    """
    if policy == "off" or len(text) > _LONGEST:
        return None
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return str(address if policy == "full" else _network(address))


def _network(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv6Address):
        if address.sixtofour is None:
            return IPv6Address(int(address) & _IPV6_KEPT)
        address = address.sixtofour
    return IPv4Address(int(address) & _IPV4_KEPT)


def told_ip(context: Mapping[str, Any], policy: IpPolicy) -> str | None:
    """Return the address that a client's context names, as it may be stored."""
    if _NAMES.isdisjoint(context):
        return None
    for name in IN_CONTEXT:
        if isinstance(text := context.get(name), str) and (kept := stored_ip(text, policy)):
            return kept
    return None


def cut_context(context: dict[str, Any], policy: IpPolicy) -> dict[str, Any]:
    """Return a context that holds no more of an address than may be stored.

    What stands in an address's place and is none (``$remote``) goes too: a policy that a client
    could evade by a spelling would be none.
    """
    if policy == "full" or _NAMES.isdisjoint(context):
        return context
    kept = {name: value for name, value in context.items() if name not in _NAMES}
    for name in IN_CONTEXT:
        if isinstance(text := context.get(name), str) and (ip := stored_ip(text, policy)):
            kept[name] = ip
    return kept
