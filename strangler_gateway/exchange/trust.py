"""Addresses: which peers are believed when they say whom they speak for (`trusted_proxies:`). Pure."""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from strangler_gateway.http.fields import Pairs
from strangler_gateway.http.request_head import is_host
from strangler_gateway.table.routes import RouteTable

_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}|\[([^]]*)\](?::[0-9]{1,5})?")
"""What some proxies write into X-Forwarded-For: an IPv4 address with a port, an IPv6 address in brackets."""


def trusts(table: RouteTable, peer: str) -> bool:
    """Whether the peer is one of `trusted_proxies:`."""
    return bool(peer) and _is_trusted(table, _address(peer))


def client_behind(table: RouteTable, peer: str, fields: Pairs) -> str:
    """The client's address as trusted proxies tell it: the last of X-Forwarded-For that is none of them.

    Nothing to the left of what is no address counts: it cannot be told who wrote it.
    """
    values = [value for name, value in fields if name.lower() == b"x-forwarded-for"]
    for text in reversed(b",".join(values).decode("latin-1").split(",")):
        text = text.strip(" \t")
        if not text:
            continue  # an empty element of a list means nothing (RFC 9110 §5.6.1.2)
        found = _WITH_PORT.fullmatch(text)
        try:
            address = _address((found[1] or found[2]) if found else text)
        except ValueError:
            break
        peer = str(address)
        if not _is_trusted(table, address):
            break
    return peer


def _address(text: str) -> IPv4Address | IPv6Address:
    """IPv4 in IPv6 is IPv4: a socket for both families shows it so. Raises ValueError."""
    address = ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(table: RouteTable, address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in table.trusted_proxies)


def public_origin(fields: Pairs) -> tuple[bytes | None, bytes | None]:
    """(scheme, host) as the client sees them, told by a trusted proxy: the first of each list."""
    told = {name.lower(): value.partition(b",")[0].strip(b" \t") for name, value in reversed(fields)}
    scheme, host = told.get(b"x-forwarded-proto", b"").lower(), told.get(b"x-forwarded-host", b"")
    return scheme if scheme in (b"http", b"https") else None, host if host and is_host(host) else None


def network_of(address: str) -> str:
    """The address itself; of IPv6 its /64, which one household has whole."""
    if ":" not in address:
        return address
    try:
        packed = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(packed.ipv4_mapped or IPv6Network((int(packed) >> 64 << 64, 64)))
