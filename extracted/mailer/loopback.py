"""Tells which hosts are this machine: a password may travel there without TLS."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Judges by name or address; resolves nothing."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
