"""The command that asks every service whether it is ready, instance by instance."""

from collections.abc import Mapping
from typing import Any

from strangler_gateway.cli.client import AdminClient
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson
from strangler_gateway.cli.output import moment, plain, show_table

_BULKHEAD = ("service", "breaker", "opened", "under way", "waiting", "refused", "retries")


def services(admin: Admin = DEFAULT_ADMIN, as_json: AsJson = False) -> None:
    """Ask every service whether it is ready, instance by instance.

    With `health:` by a request, else by a connection alone. Shows where instances come from, and lists the routes that
    a service says it does not serve.
    """
    answer = AdminClient(admin, as_json).report("services")
    columns = ("service", "address", "health", "ready", "groups")
    show_table(columns, [_service(service) for service in answer["services"]])
    asked = [(service["name"], service["bulkhead"]) for service in answer["services"] if service["bulkhead"]]
    if asked:
        print()
        show_table(_BULKHEAD, [(name, *_bulkhead(one)) for name, one in asked], frozenset(_BULKHEAD[2:]))
    for name, one in asked:
        if one["breaker"]["state"] in ("open", "half-open"):
            print(plain(f"the breaker of {name} is {one['breaker']['state']}: {one['breaker']['seen']}"))
    for service in answer["services"]:
        for sentence in (*_instances(service), *_lacking(service)):
            print(plain(sentence))


def _service(service: Mapping[str, Any]) -> tuple[object, ...]:
    some = ", except" if service["unserved"] else ""
    ready = f"yes{some}" if service["ready"] else "no"
    groups = [*service["units"], *(["the legacy side"] if service["legacy_of"] else [])]
    return service["name"], service["address"], service["health"] or "-", ready, ", ".join(groups) or "-"


def _instances(service: Mapping[str, Any]) -> list[str]:
    """Of a service that has several, or whose instances are discovered: `items: 2 instances from consul://items, …`."""
    known, found, name = service["instances"], service["discovery"], service["name"]
    if len(known) < 2 and not found:
        return []
    count = "1 instance" if len(known) == 1 else f"{len(known)} instances"
    lines = [f"{name}: {count} from {_source(found) if found else 'routes.yaml'}"]
    lines += [f"  {one['address']}: {_instance(one)}" for one in known]
    return lines


def _source(found: Mapping[str, Any]) -> str:
    since = moment(found["since"])
    if found["problem"]:
        known = "these are the last ones known" if found["answered"] else "none has been known yet"
        return f"{found['source']}, which is away since {since} ({found['problem']}); {known}"
    return f"{found['source']}, fresh since {since}" if found["answered"] else f"{found['source']}, not asked yet"


def _instance(one: Mapping[str, Any]) -> str:
    left_out = f"left out ({one['state']}), " if one["left_out"] else ""
    counts = f"{one['requests']} requests, {one['failures']} failures, {one['outstanding']} under way"
    return f"{left_out}{'ready' if one['ready'] else one['problem']}; {counts}"


def _bulkhead(one: Mapping[str, Any]) -> tuple[object, ...]:
    """Each as used of what there is."""
    breaker, requests, queue, retries = one["breaker"], one["requests"], one["queue"], one["retries"]
    return (
        breaker["state"],
        breaker["opened"],
        f"{requests['under_way']} of {requests['places']}",
        f"{queue['waiting']} of {queue['max']}",
        sum(one["refused"].values()),
        f"{retries['spent']} of {retries['budget']}",
    )


def _lacking(service: Mapping[str, Any]) -> list[str]:
    problem = [service["problem"]] if service["problem"] else []
    unserved = [
        f"{service['name']} does not serve {one['method']} {one['path']} ({one['route']}, {one['unit']}): "
        f"{one['reason'] or 'it gives no reason'}"
        for one in service["unserved"]
    ]
    return problem + unserved
