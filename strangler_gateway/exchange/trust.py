"""Addresses: which peers are believed when they say whom they speak for (`trusted_proxies:`). Pure."""

from ipaddress import IPv6Address, IPv6Network, ip_address

from strangler_gateway.http.fields import Pairs
from strangler_gateway.http.request_head import is_host
from strangler_gateway.table.routes import RouteTable


def trusts(table: RouteTable, peer: str) -> bool:
    """Whether the peer is one of `trusted_proxies:`."""
    if not peer:
        return False
    address = ip_address(peer.partition("%")[0])
    return any(address in network for network in table.trusted_proxies)


def client_behind(table: RouteTable, peer: str, fields: Pairs) -> str:
    """The client's address as trusted proxies tell it: the last of X-Forwarded-For that is none of them."""
    values = [value for name, value in fields if name.lower() == b"x-forwarded-for"]
    for text in reversed(b",".join(values).decode("latin-1").split(",")):
        try:
            address = ip_address(text.strip())
        except ValueError:
            break
        peer = str(address)
        if not any(address in network for network in table.trusted_proxies):
            break
    return peer


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
