"""Which hosts are this machine: what goes there, nobody else reads."""

import ipaddress


def is_loopback(host: str) -> bool:
    """By its name or address alone; nothing is resolved."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
