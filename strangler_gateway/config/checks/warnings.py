"""Warnings: the file can be served, but it is probably not what was meant."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from strangler_gateway.config.faults import Fault, Place
from strangler_gateway.config.identity_model import identity_entries
from strangler_gateway.config.model import AcceptEntry, MovableFields, RouteEntry, RoutesFile
from strangler_gateway.config.yaml.source import LocatedYaml
from strangler_gateway.table.rules.aggregate import IDENTITY

_Entries = tuple[Place, str, MovableFields, list[RouteEntry]]
"""The place of a group or single route, its name in a sentence, its fields, and its routes."""
BROKER = ("STRANGLER_BROKER_URL", "STRANGLER_BROKER_URL_FILE")


def warnings_of(source: LocatedYaml, file: RoutesFile, environ: Mapping[str, str]) -> list[Fault]:
    """Every warning about a file without faults; `environ`: where it would be served."""
    rules = (
        *(_unused_services, _unused_groups, _states, _same_service, _both_roles, _unverified),
        *(_nobody_known, _no_subject, _for_others, _exchange, _accept),
    )
    found = [warning for rule in rules for warning in rule(source, file)]
    return found if any(environ.get(name) for name in BROKER) else [*found, *_no_broker(source, file)]


def _unused_services(source: LocatedYaml, file: RoutesFile) -> Iterator[Fault]:
    used = {name for route in file.routes for name in (route.legacy, route.extracted)}
    for name, service in file.services.items():
        if name not in used and service.operators is None:
            yield source.fault(("services", name), f'no route leads to the service "{name}"')


def _unused_groups(source: LocatedYaml, file: RoutesFile) -> Iterator[Fault]:
    used = {route.group for route in file.routes}
    for name in file.groups:
        if name not in used:
            yield source.fault(("groups", name), f'no route is in the group "{name}"')


def _movables(file: RoutesFile) -> Iterator[_Entries]:
    routes = file.routes
    for name, group in file.groups.items():
        members = [route for route in routes if route.group == name]
        if members:
            yield ("groups", name), f'the group "{name}"', group, members
    for at, route in enumerate(routes):
        if route.group is None:
            yield ("routes", at), f'the route "{route.id}"', route, [route]


def _has_new_end(route: RouteEntry) -> bool:
    return bool(route.extracted or route.publish or route.aggregate)


def _states(source: LocatedYaml, file: RoutesFile) -> Iterator[Fault]:
    for place, what, movable, routes in _movables(file):
        at = (*place, "state")
        if movable.state != "legacy" and not any(_has_new_end(route) for route in routes):
            ends = "`extracted:`, `publish:` or `aggregate:`"
            yield source.fault(at, f"{what} is in {movable.state}, but none of its routes has {ends}")
        elif movable.state == "shadow" and not any(route.shadow for route in routes):
            yield source.fault(at, f"{what} is in shadow, but has no `shadow:` rules; nothing is compared")
        elif movable.state == "canary" and movable.share == 0:
            yield source.fault(at, f"{what} is in canary with a share of 0: every user stays on legacy")


def _same_service(source: LocatedYaml, file: RoutesFile) -> Iterator[Fault]:
    for at, route in enumerate(file.routes):
        if route.extracted == route.legacy:
            yield source.fault(("routes", at, "extracted"), f'both ends are the service "{route.legacy}"')


def _both_roles(source: LocatedYaml, file: RoutesFile) -> Iterator[Fault]:
    """Such a service may believe on one route what a client could only say on the other."""
    legacy, extracted = {route.legacy for route in file.routes}, {route.extracted for route in file.routes}
    for name, service in file.services.items():
        if name in legacy & extracted and service.identity_headers is None:
            message = (
                "is the legacy side of one route and the extracted side of another: fields that say who calls pass"
                " to it only on the first; write identity_headers: drop, pass or trusted"
            )
            yield source.fault(("services", name), message)


def _unverified(source: LocatedYaml, file: RoutesFile) -> Iterator[Fault]:
    for name, service in file.services.items():
        place = ("services", name, "tls")
        if service.tls and service.addresses[0].scheme != "https":
            yield source.fault(place, "has no effect: the URL is not https")
        elif service.tls and not service.tls.verify:
            yield source.fault((*place, "verify"), "this upstream is not verified; name its CA in ca_file")


def _nobody_known(source: LocatedYaml, file: RoutesFile) -> Iterator[Fault]:
    if any(entry.enabled for _, entry in identity_entries(file.identity)):
        return
    nobody = _nobody(file)
    for place, what, movable, routes in _movables(file):
        if movable.serialize:
            yield source.fault(
                (*place, "serialize"), f"{what} has `serialize: user`, but {nobody}: no user is ever known"
            )
        for route in routes:
            if route.auth.require != "open" and _has_new_end(route):
                at = file.routes.index(route)
                message = f"requires a user, but {nobody}: " + (
                    "the service never gets a user" if route.extracted else "everybody gets 401"
                )
                yield source.fault(("routes", at, "auth", "require"), message)


def _nobody(file: RoutesFile) -> str:
    return "`identity` is none" if file.identity == "none" else "no entry of `identity` is enabled"


def _no_subject(source: LocatedYaml, file: RoutesFile) -> Iterator[Fault]:
    if any(entry.enabled for _, entry in identity_entries(file.identity)):
        return
    for at, route in enumerate(file.routes):
        for name, call in route.aggregate.calls.items() if route.aggregate else ():
            if f"{{{IDENTITY}:" in call.path:
                message = f"names the verified user, but {_nobody(file)}: this call is never made"
                yield source.fault(("routes", at, "aggregate", "calls", name, "path"), message)


def _for_others(source: LocatedYaml, file: RoutesFile) -> Iterator[Fault]:
    """An identity server issues tokens to many applications: what is none of ours must not count."""
    for place, entry in identity_entries(file.identity):
        if entry.jwt and entry.jwt.jwks_url and not (entry.jwt.audience or entry.jwt.azp):
            message = "accepts every token of these keys, whatever application it was issued for; name audience or azp"
            yield source.fault((*place, "jwt"), message)


def _exchange(source: LocatedYaml, file: RoutesFile) -> Iterator[Fault]:
    exchanging = [name for name, service in file.services.items() if service.credentials == "exchange"]
    providers = [place for place, entry in identity_entries(file.identity) if entry.jwt and entry.jwt.exchange]
    if not providers:
        for name in exchanging:
            yield source.fault(("services", name, "credentials"), "no entry of `identity` has `jwt.exchange`")
    if not exchanging:
        for place in providers:
            message = "no service has `credentials: exchange`, so nothing is exchanged"
            yield source.fault((*place, "jwt", "exchange"), message)


def _accept(source: LocatedYaml, file: RoutesFile) -> Iterator[Fault]:
    """Differences whose last day is over."""
    groups: list[_Accepting] = [(("groups", name), group.accept) for name, group in file.groups.items()]
    today = datetime.now(UTC).date().isoformat()
    for place, accept in [*groups, *((("routes", at), route.accept) for at, route in enumerate(file.routes))]:
        for at, one in enumerate(accept):
            if one.until is not None and one.until < today:
                message = f"was the last day: {one.kind} at {one.path} counts again; remove the entry, or decide anew"
                yield source.fault((*place, "accept", at, "until"), message)


_Accepting = tuple[Place, list[AcceptEntry]]


def _no_broker(source: LocatedYaml, file: RoutesFile) -> Iterator[Fault]:
    """Only for routes that would publish now: a flip checks the broker itself."""
    for _, what, movable, routes in _movables(file):
        for route in routes:
            if route.publish and movable.state not in ("legacy", "shadow"):
                message = f"{what} is in {movable.state}, but {BROKER[0]} is not set here: without it the answer is 503"
                yield source.fault(("routes", file.routes.index(route), "publish"), message)
