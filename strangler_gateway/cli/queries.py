"""The commands that look: routes, log, diff, differences, explain."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from strangler_gateway.admin.views import explanation
from strangler_gateway.cli.client import USAGE, Answer, Client, fail
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson
from strangler_gateway.cli.output import console, moment, plain, table, where
from strangler_gateway.config.file import load
from strangler_gateway.migration.routes_file.edit import read
from strangler_gateway.steps.explain import explain as explained
from strangler_gateway.table.faults import RoutesInvalid
from strangler_gateway.table.matcher import Matcher

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_NUMBERS = frozenset({"legacy", "extracted", "errors", "compared", "differ", "requests"})


def routes(admin: Admin = DEFAULT_ADMIN, as_json: AsJson = False) -> None:
    """List the routes, where each goes, what was seen."""
    answer = Client(admin, as_json).get("routes")
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
        return
    columns = ("route", "match", "group", "state", "legacy", "extracted", "errors", "compared", "differ", "since")
    console().print(table(columns, [_row(route) for route in answer["routes"]], _NUMBERS))
    print(f"\ncounted since {moment(answer['since'])}; table {answer['digest']}")
    for problem in _problems(answer):
        print(plain(problem))
    if answer["undeclared"]:
        print("\nundeclared traffic, by path shape")
        shapes = [(shape["requests"], shape["shape"]) for shape in answer["undeclared"][:20]]
        console().print(table(("requests", "shape"), shapes, _NUMBERS))


def log(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many of the latest entries.")] = 20,
    unit: Annotated[str | None, typer.Option(help="Only of this group or route.")] = None,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Show who moved what, when and why.

    The newest entry stands last.
    """
    answer = Client(admin, as_json).get("log", limit=limit, unit=unit)
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
        return
    columns = ("time", "what", "group", "move", "who", "why")
    console().print(table(columns, [_entry(entry) for entry in answer["entries"]]))


def diff(admin: Admin = DEFAULT_ADMIN, as_json: AsJson = False) -> None:
    """Tell how the routes file differs from what is served."""
    answer = Client(admin, as_json).get("diff")
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
        return
    for fault in answer["faults"]:
        print(plain(fault))
    for one in answer["units"]:
        print(plain(f"{one['unit']}: file {where(one['file'])}, served {where(one['served'])}: {one['reason']}"))
    for what in ("added", "removed", "changed"):
        if answer[what]:
            print(plain(f"{what} in the file: {', '.join(answer[what])}"))
    if answer["faults"]:
        print(f"the file cannot be taken up; table {answer['served_digest']} is served meanwhile")
    elif answer["unread"]:
        print("the file has changed since it was taken up; `strangler reload` takes it up")
    if answer["same"]:
        print(f"the file says what is served: {answer['served_digest']}")


def differences(
    route: Annotated[str, typer.Argument(metavar="ROUTE", help="The id of a route.")],
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Show what differed in shadow.

    One example of each kind, the latest first. Values only where the route allows them.
    """
    answer = Client(admin, as_json).get("differences", route=route)
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
        return
    for example in answer["differences"]:
        print(plain(json.dumps(example, ensure_ascii=False)))
    if not answer["differences"]:
        print("none was seen since the gateway was started")


def explain(
    method: Annotated[str, typer.Argument(help="GET, POST, …")],
    path: Annotated[str, typer.Argument(help="As a client would send it: /item/3?x=1")],
    user: Annotated[str | None, typer.Option(help="The verified user id; without it, nobody is known.")] = None,
    routes: Annotated[Path | None, typer.Option(help="Ask this file instead of a gateway.")] = None,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Tell where a request would go and why. Nothing is sent there."""
    method = method.upper()
    path = quote(os.fsencode(path), safe=_PRINTABLE)
    if not path.startswith("/") and path != "*":
        fail(USAGE, "usage", f"{path} is no path; it begins with /", as_json)
    answer = (
        explanation(explained(_matcher(routes, as_json), method, path, user))
        if routes
        else Client(admin, as_json).get("explain", method=method, path=path, user=user)
    )
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
        return
    print(plain(_sentence(method, path, user, answer)))


def _matcher(path: Path, as_json: bool) -> Matcher:
    try:
        return Matcher(load(read(path), os.environ))
    except (OSError, ValueError) as exc:
        faults = "\n".join(map(str, exc.faults)) if isinstance(exc, RoutesInvalid) else str(exc)
        fail(USAGE, "routes", f"{path} cannot be used: {faults}", as_json)


def _row(route: Mapping[str, Any]) -> tuple[object, ...]:
    methods = ",".join(route["methods"] or ["*"])
    errors = route["errors"]["legacy"] + route["errors"]["extracted"]
    requests, shadow = route["requests"], route["shadow"]
    group = route["unit"] if route["kind"] == "group" else "-"
    state = where(route) + (" (held)" if route["held"] else "")
    seen = (requests["legacy"], requests["extracted"], errors, shadow["compared"], shadow["different"])
    return route["id"], f"{methods} {route['path']}", group, state, *seen, moment(route["moved_at"])


def _problems(answer: Answer) -> list[str]:
    found = [f"the file is faulty, an older table is served: {fault}" for fault in answer["faults"]]
    problem = answer["state_dir"]["problem"]
    return [*found, f"flips are off: {problem}"] if problem else found


def _entry(entry: Mapping[str, Any]) -> tuple[object, ...]:
    before = where(entry["before"]) if entry["before"] else "-"
    after = where(entry.get("asked") or entry["after"])
    move = before if before == after else f"{before} → {after}"
    why = [entry["why"], *entry.get("reasons", ()), *(f"forced: {code}" for code in entry["forced"])]
    return moment(entry["time"]), entry["event"], entry["unit"], move, entry["who"], "; ".join(filter(None, why))


def _sentence(method: str, path: str, user: str | None, answer: Answer) -> str:
    of = f"{answer['kind']} {answer['unit']}, {where(answer)}"
    lines = [f"{method} {path} goes to {answer['side']} ({answer['service'] or answer['publish']}): {answer['reason']}"]
    lines.append(f"route {answer['route']} ({answer['path']}) of {of}")
    if answer["variables"]:
        lines.append("variables " + ", ".join(f"{name}={value}" for name, value in answer["variables"].items()))
    if answer["bucket"] is not None:
        lines.append(f"user {user} is in bucket {answer['bucket']} of 10000")
    if answer["compared"]:
        lines.append("the service is asked too, after the answer has gone, and both are compared")
    return "\n".join([*lines, *filter(None, [answer["note"]])])
