"""The commands that report: routes, services, gate, log, diff, differences."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from strangler_gateway.cli.client import DONE, REFUSED, USAGE, AdminClient, Answer
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson, MovableName, movables
from strangler_gateway.cli.output import example_lines, moment, plain, show_silent, show_table, where
from strangler_gateway.cli.queries.route_filter import RouteFilter
from strangler_gateway.table.routes import MigrationState

_NUMBERS = frozenset({"legacy", "extracted", "errors", "unanswered", "compared", "differ", "requests", "limited"})


def routes(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[GROUP|ROUTE]...", help="Only these groups or routes.", autocompletion=movables),
    ] = None,
    state: Annotated[list[MigrationState] | None, typer.Option(help="Only in this state; may be repeated.")] = None,
    moved: Annotated[bool, typer.Option("--moved", help="Only those that have left legacy.")] = False,
    errors: Annotated[bool, typer.Option("--errors", help="Only those with errors on either side.")] = False,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """List the routes: where each goes, and its counters.

    Several filters together show the routes that pass all of them.
    """
    client = AdminClient(admin, as_json)
    chosen = RouteFilter(frozenset(names or ()), frozenset(state or ()), moved, errors)
    answer = client.get("routes")
    unknown = chosen.unknown(answer["routes"])
    if unknown:
        client.fail(USAGE, "unknown", f"no group or route is called {', '.join(unknown)}; `strangler routes` lists all")
    answer = {**answer, "routes": [route for route in answer["routes"] if chosen.takes(route)]}
    client.end_as_json(answer)
    _show_routes(answer)
    if answer["undeclared"] and not chosen:
        print("\nundeclared traffic, by path shape")
        shapes = [(shape["requests"], shape["shape"]) for shape in answer["undeclared"][:20]]
        show_table(("requests", "shape"), shapes, _NUMBERS)


def _show_routes(answer: Answer) -> None:
    columns = ("route", "match", "group", "state", "legacy", "extracted", "errors", "unanswered", "compared", "differ")
    limited = any(route["limit"] for route in answer["routes"])
    accepted = any(route["shadow"]["accepted"] for route in answer["routes"])
    more = ("since", "new end", *(("limit", "limited") if limited else ()), *(("accepted",) if accepted else ()))
    if answer["routes"]:
        rows = [_row(one) + _limit(one, limited) + _accepting(one, accepted) for one in answer["routes"]]
        show_table((*columns, *more), rows, _NUMBERS)
    else:
        print("no route passes these filters")
    print(f"\ncounted since {moment(answer['since'])}; table {answer['digest']}")
    for problem in (*_problems(answer), *answer["lagging"], *answer["silent"]):
        print(plain(problem))


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


def gate(unit: MovableName, admin: Admin = DEFAULT_ADMIN, as_json: AsJson = False) -> None:
    """Show whether the traffic since the last move allows a step forward.

    Changes nothing. Exit code 0 also where the gate would refuse: use `flip --dry-run` in a script.
    """
    answer = AdminClient(admin, as_json).report("gate", unit=unit)
    verdict = answer["gate"]["verdict"] if answer["gate"] else None
    print(plain(f"{answer['unit']}: {where(answer)} since {moment(answer['moved_at'])}: {_VERDICTS[verdict]}"))
    for refusal in answer["refusals"]:
        print(plain(f"  {refusal['message']}"))


_VERDICTS = {
    None: "no gate is asked here",
    "pass": "PASS",
    "worse": "WORSE",
    "wait": "WAIT",
}


def log(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the latest entries.")] = 20,
    unit: Annotated[str | None, typer.Option(help="Only of this group or route.")] = None,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Show who moved what, when and why.

    The newest entry comes last.
    """
    answer = AdminClient(admin, as_json).report("log", limit=limit, unit=unit)
    columns = ("time", "what", "group", "move", "who", "why")
    show_table(columns, [_entry(entry) for entry in answer["entries"]])


def diff(
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 1 if they differ.")] = False,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Show how the routes file differs from what is served."""
    client = AdminClient(admin, as_json)
    answer = client.get("diff")
    code = REFUSED if exit_code and not answer["same"] else DONE
    client.end_as_json(answer, code)
    for fault in answer["faults"]:
        print(plain(fault))
    for one in answer["units"]:
        print(plain(f"{one['unit']}: file {where(one['file'])}, served {where(one['served'])}: {one['reason']}"))
    for what in ("added", "removed", "changed"):
        if answer[what]:
            print(plain(f"{what} in the file: {', '.join(answer[what])}"))
    if answer["faults"]:
        print(f"the file cannot be used; table {answer['served_digest']} stays in use")
    elif answer["unread"]:
        print("the file has changed since it was read; `strangler reload` reads it")
    if answer["same"]:
        print(f"the file matches the served table {answer['served_digest']}")
    raise typer.Exit(code)


def differences(
    route: Annotated[str, typer.Argument(metavar="ROUTE", help="The id of a route.")],
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Show which answers differed in shadow.

    Each difference by name (kind and place): how many answers, and whether `accept:` in routes.yaml leaves it out. Then
    one example of each sort of answer, the latest first; values only where the route allows it.
    """
    answer = AdminClient(admin, as_json).report("differences", route=route)
    if answer["names"]:
        rows = [(one["answers"], one["kind"], one["path"], _accepted(one)) for one in answer["names"]]
        show_table(("answers", "kind", "place", "accepted"), rows, frozenset({"answers"}))
        print()
    for example in answer["differences"]:
        print("\n".join(map(plain, example_lines(example))))
    if not answer["differences"]:
        print("no difference was seen")
    show_silent(answer)


def _accepted(one: Mapping[str, Any]) -> str:
    if one["why"] is None:
        return "-"
    until = f" until {one['until']}" if one["until"] else ""
    return f"{'yes' if one['accepted'] else 'no longer'}{until}: {one['why']}"


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


_BULKHEAD = ("service", "breaker", "opened", "under way", "waiting", "refused", "retries")


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


def _row(route: Mapping[str, Any]) -> tuple[object, ...]:
    methods = ",".join(route["methods"] or ["*"])
    errors = route["errors"]["legacy"] + route["errors"]["extracted"]
    requests, shadow = route["requests"], route["shadow"]
    group = route["unit"] if route["kind"] == "group" else "-"
    marks = [*(["held"] if route["held"] else []), *([] if route["confirmed"] else ["unconfirmed"])]
    state = where(route) + (f" ({', '.join(marks)})" if marks else "")
    unanswered = route["unanswered"]["legacy"]
    new = (requests["extracted"], errors, unanswered, shadow["compared"], shadow["different"])
    end = route["extracted"] or route["publish"] or route["aggregate"] or "no new end"
    seen = new if route["new_end"] else ("-", errors, unanswered, "-", "-")
    match = f"{methods} {route['path']}"
    return route["id"], match, group, state, requests["legacy"], *seen, moment(route["moved_at"]), end


def _limit(route: Mapping[str, Any], shown: bool) -> tuple[object, ...]:
    if not shown:
        return ()
    return (route["limit"], route["limited"]) if route["limit"] else ("-", "-")


def _accepting(route: Mapping[str, Any], shown: bool) -> tuple[object, ...]:
    """Answers that differ in nothing but what `accept:` names; only where there are any."""
    return (route["shadow"]["accepted"],) if shown else ()


def _problems(answer: Answer) -> list[str]:
    found = [f"the file has a fault, so an older table is in use: {fault}" for fault in answer["faults"]]
    problem, store = answer["state_dir"]["problem"], answer["store_problem"]
    found += [f"flips are off: {problem}"] if problem else []
    found += [f"nothing but a rollback moves through this gateway: {store}"] if store else []
    limits = answer["limits"]
    if limits["problem"]:
        found.append(f"rate limits are not shared: Redis at {limits['redis']} cannot count: {limits['problem']}")
    turns = answer["serialize"]["problem"]
    found += [f"writes of `serialize: user` are refused: Redis gives no turns: {turns}"] if turns else []
    return found


def _entry(entry: Mapping[str, Any]) -> tuple[object, ...]:
    before = where(entry["before"]) if entry["before"] else "-"
    after = where(entry.get("asked") or entry["after"])
    move = before if before == after else f"{before} → {after}"
    reasons = entry.get("reasons", ())
    if entry["forced"]:
        reasons = [f"forced: {reason}" for reason in reasons or entry["forced"]]
    why = [entry["why"], *reasons]
    what = f"{entry['event']} (automatic)" if entry.get("automatic") else entry["event"]
    return moment(entry["time"]), what, entry["unit"], move, entry["who"], "; ".join(filter(None, why))
