"""The command `explain`: where a request would go."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from strangler_gateway.admin.views import explanation
from strangler_gateway.cli.client import USAGE, AdminClient, Answer, fail
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson
from strangler_gateway.cli.output import plain, where
from strangler_gateway.config.faults import RoutesInvalid
from strangler_gateway.config.file import load
from strangler_gateway.migration.routes_file.edit import read
from strangler_gateway.steps.explain import explain as explain_request
from strangler_gateway.table.matcher import Matcher

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


def explain(
    method: Annotated[str, typer.Argument(help="GET, POST, …")],
    path: Annotated[str, typer.Argument(help="As a client would send it: /item/3?x=1")],
    user: Annotated[str | None, typer.Option(help="The verified user id; without it the caller is unknown.")] = None,
    routes: Annotated[Path | None, typer.Option(help="Read this routes file instead of asking a gateway.")] = None,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Tell where a request would go and why. The request is not sent."""
    method = method.upper()
    path = quote(os.fsencode(path), safe=_PRINTABLE)
    if not path.startswith("/") and path != "*":
        fail(USAGE, "usage", f"{path} is not a path; a path begins with /", as_json)
    answer = (
        explanation(explain_request(_matcher(routes, as_json), method, path, user))
        if routes
        else AdminClient(admin, as_json).get("explain", method=method, path=path, user=user)
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


def _sentence(method: str, path: str, user: str | None, answer: Answer) -> str:
    of = f"{answer['kind']} {answer['unit']}, {where(answer)}"
    end = answer["service"] or answer["publish"] or answer["aggregate"]
    lines = [f"{method} {path} goes to {answer['side']} ({end}): {answer['reason']}"]
    lines.append(f"route {answer['route']} ({answer['path']}) of {of}")
    if answer["variables"]:
        lines.append("variables " + ", ".join(f"{name}={value}" for name, value in answer["variables"].items()))
    if answer["bucket"] is not None:
        lines.append(f"user {user} is in bucket {answer['bucket']} of 10000")
    if answer["limit"]:
        lines.append(f"limited to {answer['limit']}")
    lines += _instances(answer.get("instances") or ())
    bulkhead = answer.get("bulkhead")
    if bulkhead:
        lines.append(_places(end, bulkhead))
    if bulkhead and bulkhead["breaker"]["state"] in ("open", "half-open"):
        lines.append(f"the breaker of {end} is {bulkhead['breaker']['state']}: {bulkhead['breaker']['seen']}")
        if answer["side"] == "extracted" and answer["state"] == "canary":
            lines.append("meanwhile safe requests go to the legacy side, and all others get 503")
    if answer["compared"]:
        lines.append("the service is called too, after the answer has gone, and the answers are compared")
    lines += [_call(call) for call in answer["calls"]]
    return "\n".join([*lines, *filter(None, [answer["note"]])])


def _instances(known: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of a service that has several: those that may be asked, and those that are left out."""
    if len(known) < 2:
        return []
    asked = ", ".join(one["instance"] for one in known if not one["left_out"])
    left_out = ", ".join(f"{one['instance']} ({one['state']})" for one in known if one["left_out"])
    return [f"instances that may be asked: {asked or 'none is well'}"] + ([f"left out: {left_out}"] if left_out else [])


def _places(name: str, bulkhead: Mapping[str, Any]) -> str:
    requests, queue = bulkhead["requests"], bulkhead["queue"]
    used = (
        f"{requests['under_way']} of {requests['places']} requests under way, {queue['waiting']} of {queue['max']} wait"
    )
    return f"{name} has {used}; its breaker is {bulkhead['breaker']['state']}"


def _call(call: Mapping[str, Any]) -> str:
    each = f", for each of {call['each']}" if call["each"] else ""
    asked = f"call {call['name']}: GET {call['path']}{each}"
    return f"{asked} goes to {call['side']} ({call['service']}): {call['reason']} (route {call['route']})"
