"""Public addresses: the check that an address is on the public Internet and not in a private network.

Theory. A server that fetches URLs can be misused to access its own network: the loopback interface, the metadata
service of a cloud, a database nearby. Therefore the numeric address is checked when the connection is opened, which
covers host names, alternative notations and redirects. IPv6 can embed an IPv4 address in several ways, and a gateway
would forward the packet to it; embedded addresses are extracted and checked as well.

The networks are those of IANA's special-purpose registries (RFC 6890) that are not globally reachable. They are listed
here so that the result does not depend on the version of Python.
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
            "100.64.0.0/10",  # shared address space of carriers, RFC 6598
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # host agent of Azure, reachable from its own machines only
            "169.254.0.0/16",  # link-local, including the metadata services of clouds
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
"""The addresses that are allocated for the public Internet; all others are loopback, local, multicast or reserved."""
_NOT_PUBLIC_6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # IETF protocol assignments; Teredo is handled before
            "2001:db8::/32",  # documentation
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_LOW_32: Final = 2**32 - 1


@lru_cache(maxsize=4_096)
def is_public(address: str) -> bool:
    """Return whether an address is on the public Internet; False if the text is not an address."""
    try:
        number = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(number, IPv4Address):
        return _is_public_4(number)
    embedded = _embedded_addresses(number)
    if embedded:
        return all(map(_is_public_4, embedded))
    return number in _UNICAST_6 and not any(number in network for network in _NOT_PUBLIC_6)


def _is_public_4(number: IPv4Address) -> bool:
    return not any(number in network for network in _NOT_PUBLIC_4)


def _embedded_addresses(number: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return embedded IPv4 addresses: mapped (RFC 4291), 6to4 (RFC 3056), Teredo (RFC 4380), NAT64 (RFC 6052)."""
    if number in _NAT64:
        return (IPv4Address(int(number) & _LOW_32),)
    if number.teredo:
        return number.teredo
    single = number.ipv4_mapped or number.sixtofour
    return (single,) if single else ()
