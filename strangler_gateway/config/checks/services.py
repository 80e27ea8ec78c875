"""Faults of services: where their instances are."""

from collections.abc import Iterator
from typing import Any

from strangler_gateway.config.addresses import Address, origin
from strangler_gateway.config.checks.written import Found, WrittenFile
from strangler_gateway.config.faults import Place

_PLACES = ("url", "urls", "discover")
_OF_DISCOVERED = ("scheme", "path")
_MISSING = (
    '"url" is missing; write url: "http://host:port", urls: [...] of several instances,'
    ' or discover: "consul://name" where they are looked up'
)


def service_faults(file: WrittenFile) -> Found:
    """Every service says in one way where it is; the instances of one are alike."""
    for name, fields in file.services.items():
        if not isinstance(fields, dict):
            continue
        place: Place = ("services", name)
        said = [field for field in _PLACES if field in fields or (*place, field) in file.source.broken]
        if not said:
            yield place, _MISSING
        for field in said[1:]:
            yield (*place, field), f'"{said[0]}" says already where the service is; remove one of the two'
        if said and "discover" not in said:
            for field in sorted(fields.keys() & {*_OF_DISCOVERED}):
                yield (*place, field), f'"{field}" is of services with discover:; an URL says it itself; remove it'
        yield from _unlike((*place, "urls"), fields.get("urls"))


def _unlike(place: Place, urls: Any) -> Found:
    addresses = [*_addresses(urls)] if isinstance(urls, list) else []
    for at, address in addresses[1:]:
        first = addresses[0][1]
        if (address.scheme, address.base_path) != (first.scheme, first.base_path):
            yield (*place, at), "has another scheme or base path than the first one; the instances of a service agree"
        earlier = [other for other, same in addresses if same.authority == address.authority and other < at]
        if earlier:
            yield (*place, at), f"is the same instance as number {earlier[0] + 1}; remove one of the two"


def _addresses(urls: list[Any]) -> Iterator[tuple[int, Address]]:
    """Those that can be read, with their places; the others have a fault of their own."""
    for at, url in enumerate(urls):
        try:
            yield at, origin(url if isinstance(url, str) else "")
        except ValueError:
            continue
