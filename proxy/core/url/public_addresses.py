"""Addresses: which of them are on the public Internet, and which lead into somebody's own network.

Theory. A server that fetches what a URL names can be made to ask its own network: the loopback interface, a cloud's
metadata service, a neighbour's database. So an address is judged by the number it is, at the moment of connecting:
names, spellings and redirects are then nothing to be afraid of. IPv6 has several ways to carry an IPv4 address, and a
gateway on the way will unwrap it; so do we, and judge both.

The networks are those of IANA's special-purpose registries (RFC 6890) that are not globally reachable, kept here so
that no version of Python judges differently.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_NOT_PUBLIC_4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private, RFC 1918
            "100.64.0.0/10",  # carriers' shared space, RFC 6598
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # Azure's host agent: a public number that only its own machines reach
            "169.254.0.0/16",  # link-local, clouds' metadata among it
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # IETF protocol assignments
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)
_UNICAST_6: Final = IPv6Network("2000::/3")
"""All that has been given out for the public Internet; the rest is loopback, local, multicast or reserved."""
_NOT_PUBLIC_6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # IETF protocol assignments; Teredo is unwrapped before
            "2001:db8::/32",  # documentation
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_LOW_32: Final = 2**32 - 1


@lru_cache(maxsize=4_096)
def is_public(address: str) -> bool:
    """Tell whether an address, as text, is on the public Internet; text that is no address is not."""
    try:
        number = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(number, IPv4Address):
        return _is_public_4(number)
    carried = _carried(number)
    if carried:
        return all(map(_is_public_4, carried))
    return number in _UNICAST_6 and not any(number in network for network in _NOT_PUBLIC_6)


def _is_public_4(number: IPv4Address) -> bool:
    return not any(number in network for network in _NOT_PUBLIC_4)


def _carried(number: IPv6Address) -> tuple[IPv4Address, ...]:
    """Give the IPv4 addresses inside: mapped (RFC 4291), 6to4 (RFC 3056), Teredo (RFC 4380), NAT64 (RFC 6052)."""
    if number in _NAT64:
        return (IPv4Address(int(number) & _LOW_32),)
    if number.teredo:
        return number.teredo
    single = number.ipv4_mapped or number.sixtofour
    return (single,) if single else ()
