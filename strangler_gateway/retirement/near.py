"""Which undeclared traffic shares paths with routes: it goes to the monolith, whatever the routes' state. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from strangler_gateway.table.routes import Route

UNKNOWN = "{}"
"""A segment of a path shape that looked like data (telemetry/stats.py)."""


def near(shape: str, routes: Iterable[Route]) -> list[str]:
    """The ids of the routes whose path the shape (`PUT /a/{}`) may be, or may be below."""
    path = shape.partition(" ")[2].split("/")
    return [route.id for route in routes if _shares(path, route.path.split("/"))]


def sharing(undeclared: Mapping[str, int], routes: Sequence[Route]) -> list[dict[str, object]]:
    """The shapes that share a path with a route, the most frequent first: `shape`, `requests`, `routes`."""
    found = ((shape, requests, near(shape, routes)) for shape, requests in undeclared.items())
    rows = [{"shape": shape, "requests": requests, "routes": ids} for shape, requests, ids in found if ids]
    return sorted(rows, key=lambda row: (-int(str(row["requests"])), str(row["shape"])))


def _shares(path: Sequence[str], declared: Sequence[str]) -> bool:
    """A route `/` alone is above everything: then only the same path counts."""
    declared = [one for one in declared if one] or [""]
    path = [one for one in path if one] or [""]
    if len(path) < len(declared) or (declared == [""] and path != [""]):
        return False
    return all(_same(one, other) for one, other in zip(path, declared, strict=False))


def _same(segment: str, declared: str) -> bool:
    return segment == UNKNOWN or "{" in declared or segment.lower() == declared.lower()
