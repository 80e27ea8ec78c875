"""Addresses in routes.yaml: services, keys, networks. No message repeats a URL, because it may contain a secret."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal
from urllib.parse import urlsplit

from chassis.discovery.target import parse_target
from strangler_gateway.table.template import quoted

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|[0-9A-Fa-f:.]{2,45}")
_BASE_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)*/?")


@dataclass(frozen=True, slots=True)
class Address:
    """An origin, and the path before every target (no trailing slash); `unix`: a socket instead of host and port."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    base_path: str
    unix: str | None = None

    @property
    def authority(self) -> str:
        """host:port, or the socket: what distinguishes the instances of a service."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.unix or f"{host}:{self.port}"


def origin(text: str) -> Address:
    """`http://host:port/base`, `https://…` or `unix:/socket:/base`. Raises ValueError."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("contains a blank, or a character that must be percent-encoded")
    if text.startswith("unix:"):
        return _unix(text.removeprefix("unix:"))
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("the port or host of the URL is not valid") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("wanted a URL that begins with http://, https:// or unix:")
    if "@" in parts.netloc:
        raise ValueError("contains a user name or password; remove it, and give it to the service in another way")
    if "?" in text or "#" in text:
        raise ValueError("a service is an origin with an optional base path; remove the query and fragment")
    if not _HOST.fullmatch(host) or port == 0:
        raise ValueError("has no usable host and port; write http://host:port")
    if not _BASE_PATH.fullmatch(parts.path):
        raise ValueError("the base path contains an empty segment, or a character that must be percent-encoded")
    if parts.scheme == "https":
        return Address("https", host, port or 443, parts.path.rstrip("/"))
    return Address("http", host, port or 80, parts.path.rstrip("/"))


def discovered(text: str, scheme: Literal["http", "https"], base_path: str) -> Address:
    """What stands for the instances of a `discover:`: its name is their authority. Raises ValueError."""
    target = parse_target(text)
    host = target.name.rstrip(".")
    while target.source == "dns+srv" and host.startswith("_"):  # _http._tcp.items.internal: RFC 2782
        host = host.partition(".")[2] or "localhost"
    return Address(scheme, host, target.port or (443 if scheme == "https" else 80), base_path)


def check_base_path(text: str) -> None:
    """`/base/path`, without a slash at its end. Raises ValueError."""
    if not text.startswith("/") or text.endswith("/") or not _BASE_PATH.fullmatch(text):
        raise ValueError(
            "wanted a path such as /api, with percent-encoded characters where need be, and no / at its end"
        )


def _unix(text: str) -> Address:
    socket, _, base = text.partition(":")
    if not socket.startswith("/") or not _BASE_PATH.fullmatch(base):
        raise ValueError("wanted unix:/path/of/socket, followed by :/base/path if there is one")
    return Address("http", "localhost", 80, base.rstrip("/"), unix=socket)


def check_url(text: str) -> None:
    """An http(s) URL with any path and query. Raises ValueError."""
    if not text.startswith(("http://", "https://")) or "#" in text or not text.isascii() or not text.isprintable():
        raise ValueError("wanted an http:// or https:// URL without a fragment")
    origin(text.partition("?")[0])


def network(text: str) -> IPv4Network | IPv6Network:
    """An address or CIDR block. Raises ValueError."""
    try:
        return ip_network(text)
    except ValueError as exc:
        raise ValueError(f"{quoted(text)} is not a network such as 10.0.0.0/8 (the bits after the mask are 0)") from exc
