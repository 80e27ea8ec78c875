"""What is looked for: `consul://NAME[?tag=T&dc=D]`, `dns://HOST:PORT`, `dns+srv://_http._tcp.NAME`. Pure.

Of DNS, `?server=ADDRESS:PORT` names the name server.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

WANTED = 'wanted "consul://NAME", "consul://NAME?tag=T&dc=D", "dns://HOST:PORT" or "dns+srv://_http._tcp.NAME"'
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=/-]{0,127}")


@dataclass(frozen=True, slots=True)
class DiscoveryTarget:
    """`name`: as the source knows it. `port`: of every instance, where the source tells none; `tag`, `dc`: Consul's.

    `server`: ADDRESS:PORT of a name server; None: those of all names.
    """

    source: Literal["consul", "dns", "dns+srv"]
    name: str
    port: int = 0
    tag: str | None = None
    dc: str | None = None
    server: str | None = None


def parse_target(text: str) -> DiscoveryTarget:
    """Raises ValueError."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"cannot be read; {WANTED}") from None
    name = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc  # `hostname` is in small letters
    if parts.scheme not in ("consul", "dns", "dns+srv"):
        raise ValueError(f"begins with none of the sources; {WANTED}")
    if parts.path not in ("", "/") or parts.fragment or "@" in name:
        raise ValueError(f"has a path, a fragment or a user; {WANTED}")
    if parts.scheme == "consul":
        return _consul(name, port, parts.query)
    return _dns("dns" if parts.scheme == "dns" else "dns+srv", name, port, parts.query)


def _consul(name: str, port: int | None, query: str) -> DiscoveryTarget:
    if not _SERVICE.fullmatch(name) or port is not None:
        raise ValueError("wanted consul://NAME with the name of the service in Consul, without a port")
    said = parse_qsl(query, keep_blank_values=True)
    options = dict(said)
    if options.keys() - {"tag", "dc"} or len(options) < len(said):
        raise ValueError("consul:// takes the options tag and dc, each once")
    if not all(_WORD.fullmatch(value) for value in options.values()):
        raise ValueError("the tag or dc of consul:// is not one; write letters, digits, dots and dashes")
    return DiscoveryTarget("consul", name, tag=options.get("tag"), dc=options.get("dc"))


def _dns(source: Literal["dns", "dns+srv"], name: str, port: int | None, query: str) -> DiscoveryTarget:
    server = _server(query)
    if not _HOST.fullmatch(name) or len(name) > 253:
        raise ValueError(f"has no usable name; {WANTED}")
    if source == "dns+srv":
        if port is not None:
            raise ValueError("the ports of dns+srv:// come from DNS; remove the port")
        return DiscoveryTarget(source, name, server=server)
    if not port:
        raise ValueError("the port is missing: DNS does not tell it; write dns://HOST:PORT")
    return DiscoveryTarget(source, name, port, server=server)


def _server(query: str) -> str | None:
    """Of the options of a DNS name."""
    if not query:
        return None
    said = parse_qsl(query, keep_blank_values=True)
    if [name for name, _ in said] != ["server"]:
        raise ValueError("the one option of a DNS name is server=ADDRESS:PORT, once")
    host, port = name_server(said[0][1])
    return f"[{host}]:{port}"


def name_server(text: str) -> tuple[str, int]:
    """The address and port of a name server. Raises ValueError."""
    host, _, port = text.rpartition(":")
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        address = None
    if address is None or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"the name server {text!r} is not ADDRESS:PORT, for example 127.0.0.1:8600")
    return str(address), int(port)
