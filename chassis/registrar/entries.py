"""The list of what runs: JSON lines, one instance a line, from a file or a command's output. Pure.

`{"service": "items", "host": "10.0.0.1", "port": 8102, "tags": ["v1"], "health": "/health/ready"}`
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 4 * 1024 * 1024
MAX_ENTRIES = 10_000
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|[0-9A-Fa-f:.]{2,45}")
_TAG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_TARGET = re.compile(r"/[!-\"$-~]{0,512}")
_FIELDS = frozenset({"service", "host", "port", "tags", "health", "scheme"})


class ListInvalid(Exception):
    """The list cannot be used. The message has one line for each fault."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One instance. `health`: the path that answers 2xx when it is ready; None: its port opens."""

    service: str
    host: str
    port: int
    tags: tuple[str, ...] = ()
    health: str | None = None
    scheme: str = "http"

    @property
    def authority(self) -> str:
        """host:port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def id(self) -> str:
        """The same for whoever registers it."""
        return f"{self.service}-{self.authority}"

    @property
    def health_url(self) -> str | None:
        """What the agent asks."""
        return None if self.health is None else f"{self.scheme}://{self.authority}{self.health}"


def parse_list(content: bytes) -> tuple[Entry, ...]:
    """Every instance once. Raises ListInvalid if any line is not one: half a list would deregister the rest."""
    if len(content) > MAX_BYTES:
        raise ListInvalid(f"the list has more than {MAX_BYTES} bytes")
    found: dict[str, Entry] = {}
    faults: list[str] = []
    for number, line in _lines(content):
        try:
            entry = _entry(json.loads(line))
        except (ValueError, RecursionError) as error:
            faults.append(f"line {number}: {error}")
            continue
        if found.setdefault(entry.id, entry) != entry:
            faults.append(f"line {number}: {entry.id} stands there twice, in different ways")
    if len(found) > MAX_ENTRIES:
        faults.append(f"the list has {len(found)} instances; at most {MAX_ENTRIES} are taken")
    if faults:
        raise ListInvalid("\n".join(faults[:20]))
    return tuple(found.values())


def _lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            yield number, line


def _entry(value: Any) -> Entry:
    if not isinstance(value, dict):
        raise ValueError('wanted an object such as {"service": "items", "host": "10.0.0.1", "port": 8102}')
    strange = value.keys() - _FIELDS
    if strange:
        raise ValueError(f"unknown field {sorted(strange)[0]!r}; known: {', '.join(sorted(_FIELDS))}")
    port = value.get("port")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise ValueError("port must be a number from 1 to 65535")
    tags = value.get("tags", [])
    if not isinstance(tags, list) or not all(_matches(_TAG, tag) for tag in tags):
        raise ValueError("tags must be a list of words of letters, digits and ._:/-")
    health = value.get("health")
    if health is not None and not _matches(_TARGET, health):
        raise ValueError("health must be a path such as /health/ready")
    if value.get("scheme", "http") not in ("http", "https"):
        raise ValueError("scheme must be http or https")
    if not _matches(_SERVICE, value.get("service")):
        raise ValueError("service must have 1 to 63 letters, digits and dashes")
    if not _matches(_HOST, value.get("host")):
        raise ValueError("host must be a host name or an address")
    service, host, scheme = value["service"], value["host"], value.get("scheme", "http")
    return Entry(service, host, port, tuple(sorted(set(tags))), health, scheme)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
