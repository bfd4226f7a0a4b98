"""Which addresses the service may call by itself: public ones only, unless private ones are meant.

Otherwise whoever may make a webhook could reach what only this machine or its network can reach
(server-side request forgery).
"""

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpx

from customer_segmentation.domain.addresses import LARGEST_PORT
from customer_segmentation.domain.errors import DeliveryFailedError

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_6TO4 = IPv6Network("2002::/16")
_NAT64 = IPv6Network("64:ff9b::/96")
"""The addresses of IPv4 hosts as networks with IPv6 only see them (RFC 6052)."""

_SPECIAL = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"), IPv6Network("3fff::/20"))
"""Not of hosts on the internet by IANA's registries, though `is_global` of older Python says so; at
192.0.0.192 a cloud tells its machines their secrets."""


def check_address(text: str, *, private: bool) -> tuple[httpx.URL, str]:
    """Return a URL and the address to call for it.

    Args:
        text: the URL.
        private: whether it may be at a private address, and without TLS.

    Raises:
        DeliveryFailedError: it must not be called.
    """
    schemes = ("https", "http") if private else ("https",)
    try:
        url = httpx.URL(text)
        host, port = url.host, url.port
    except (httpx.InvalidURL, UnicodeError) as invalid:
        raise DeliveryFailedError(f"must be a URL, {invalid}") from invalid
    if url.scheme not in schemes or not host or url.userinfo:
        raise DeliveryFailedError(
            f"must be {' or '.join(schemes)}, with a host, without name and password"
        )
    if port is not None and not 0 < port <= LARGEST_PORT:
        raise DeliveryFailedError(f"must have a port from 1 to {LARGEST_PORT}")
    try:
        found = socket.getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as unknown:
        raise DeliveryFailedError("the host is not known") from unknown
    addresses = [str(place[0]) for *_, place in found]
    if not private and not all(is_public(ip_address(address)) for address in addresses):
        raise DeliveryFailedError(
            "the host is at a private address, which must not be called unless "
            "CUSTOMER_SEGMENTATION_WEBHOOK_PRIVATE_ADDRESSES=true"
        )
    return url, addresses[0]


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is that of one host on the internet.

    What an IPv6 address says of an IPv4 one counts, as some router on the way may go by that: of
    6to4, IPv4-compatible and other old forms none is public.
    """
    if isinstance(address, IPv6Address):
        within = address.ipv4_mapped
        if address in _NAT64:
            within = IPv4Address(int(address) & 0xFFFFFFFF)
        if within is not None:
            return is_public(within)
        if address not in _GLOBAL_UNICAST or address in _6TO4:
            return False
    is_special = address.is_multicast or any(address in network for network in _SPECIAL)
    return address.is_global and not is_special
