"""Which addresses are on the public Internet."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.url.public_addresses import is_public

NOT_PUBLIC_4 = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255",
    "127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192",
    "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
]  # fmt: skip
PUBLIC_4 = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "223.255.255.255"]


@pytest.mark.parametrize("address", PUBLIC_4)
def test_an_address_beside_a_special_network_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC_4)
def test_a_special_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["2606:4700:4700::1111", "2a00:1450:4001::200e", "2620:fe::fe"])
def test_global_unicast_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    ["::", "::1", "::8.8.8.8", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
     "2001:db8::1", "2001:2::1", "2001:20::1", "3fff::1", "100::1", "5f00::1", "64:ff9b:1::808:808", "4000::1"],
)  # fmt: skip
def test_special_ipv6_is_not_public(address: str) -> None:
    assert not is_public(address)


def wrappings(address: str) -> list[IPv6Address]:
    """Give the IPv6 addresses that carry an IPv4 address: mapped, NAT64, 6to4, and Teredo with it as either end."""
    number, public = int(IPv4Address(address)), int(IPv4Address("8.8.8.8"))
    return [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0x64FF9B << 96 | number),
        IPv6Address(0x2002 << 112 | number << 80 | 1),
        IPv6Address(0x20010000 << 96 | number << 64 | public ^ 0xFFFFFFFF),
        IPv6Address(0x20010000 << 96 | public << 64 | number ^ 0xFFFFFFFF),
    ]


@pytest.mark.parametrize("address", NOT_PUBLIC_4)
def test_wrapping_a_special_address_into_ipv6_does_not_make_it_public(address: str) -> None:
    assert not any(is_public(str(wrapped)) for wrapped in wrappings(address))


@pytest.mark.parametrize("address", PUBLIC_4)
def test_a_public_address_stays_public_in_ipv6(address: str) -> None:
    assert all(is_public(str(wrapped)) for wrapped in wrappings(address))


@pytest.mark.parametrize("text", ["", "localhost", "2130706433", "0x7f.1", "127.1", "8.8.8.8.", "8.8.8.8:80", "[::1]"])
def test_what_is_no_address_is_not_public(text: str) -> None:
    assert not is_public(text)


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_public(address: IPv4Address | IPv6Address) -> None:
    mapped = isinstance(address, IPv6Address) and (address.ipv4_mapped or address.sixtofour or address.teredo)
    nat64 = isinstance(address, IPv6Address) and int(address) >> 32 == 0x64FF9B << 64
    if not mapped and not nat64 and is_public(str(address)):
        assert address.is_global
