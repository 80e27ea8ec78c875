"""The commands of plans: plan, advance, pause, resume, approve."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, NoReturn

import typer

from strangler_gateway.cli.client import DONE, REFUSED, AdminClient
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson, MovableName, MovableOrAll
from strangler_gateway.cli.output import moment, plain, show_table, where

Why = Annotated[str, typer.Option(help="The reason, for the journal.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would happen; change nothing.")]
Step = Annotated[
    str | None,
    typer.Option(help='The step that is meant, such as "canary 10 %"; another one is refused. Default: the next one.'),
]


def plan(unit: MovableOrAll = None, admin: Admin = DEFAULT_ADMIN, as_json: AsJson = False) -> None:
    """Show where plans stand: what each waits for, and when it would go on.

    Without a name: all groups with a `plan:` in the routes file.
    """
    client = AdminClient(admin, as_json)
    if unit is not None:
        _show(client.report(f"plans/{unit}"))
        return
    found = client.report("plans")["plans"]
    if not found:
        print("no group has a `plan:` in the routes file")
        return
    show_table(("group", "state", "next", "goes on", "waits for"), [_row(one) for one in found])


def advance(
    unit: MovableName,
    why: Why = "",
    step: Step = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Do not wait for time, window or evidence; the journal records it."),
    ] = False,
    dry_run: DryRun = False,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Make the next step of a plan.

    It is the same judged flip as `strangler flip`. A step that needs an approval is asked for, and made as soon as
    another operator approves it.
    """
    client = AdminClient(admin, as_json)
    meant = step or client.get(f"plans/{unit}")["next"]
    _end(client.post(f"plans/{unit}/advance", why=why, step=meant, force=force, dry_run=dry_run), as_json)


def pause(
    unit: MovableName, why: Why = "", dry_run: DryRun = False, admin: Admin = DEFAULT_ADMIN, as_json: AsJson = False
) -> None:
    """Stop a plan: nothing goes forward until `strangler resume`.

    The group stays where it is. It can still go back by itself.
    """
    _end(AdminClient(admin, as_json).post(f"plans/{unit}/pause", why=why, dry_run=dry_run), as_json)


def resume(
    unit: MovableName, why: Why = "", dry_run: DryRun = False, admin: Admin = DEFAULT_ADMIN, as_json: AsJson = False
) -> None:
    """Let a paused plan go on."""
    _end(AdminClient(admin, as_json).post(f"plans/{unit}/resume", why=why, dry_run=dry_run), as_json)


def approve(
    unit: MovableName,
    why: Why = "",
    step: Step = None,
    dry_run: DryRun = False,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Approve the next step of a plan, as another operator than the one who has asked for it.

    Then the gateway makes the step as soon as all else allows it.
    """
    _end(AdminClient(admin, as_json).post(f"plans/{unit}/approve", why=why, step=step, dry_run=dry_run), as_json)


def _row(one: Mapping[str, Any]) -> tuple[object, ...]:
    waits = "; ".join(reason["says"] for reason in one["waits"]) or one["refused"] or "-"
    return one["group"], where(one), one["next"] or "done", _when(one), waits


def _when(one: Mapping[str, Any]) -> str:
    if one["next"] is None:
        return "-"
    return "now" if one["goes_on_in_s"] == 0 else moment(one["goes_on_at"])


def _show(one: Mapping[str, Any]) -> None:
    for line in _lines(one):
        print(plain(line))


def _lines(one: Mapping[str, Any]) -> list[str]:
    steps = " → ".join(f"[{step['step']}]" if step["reached"] else step["step"] for step in one["steps"])
    kind = "by itself" if one["auto"] else "with `strangler advance`"
    lines = [f"{one['group']}: {where(one)}; goes on {kind}: {steps}"]
    if one["next"] is None:
        lines.append("the plan is done")
    elif one["waits"]:
        lines.append(f"{one['next']} waits, {_until(one)}:")
        lines += [f"  {reason['says']}" for reason in one["waits"]]
    else:
        lines.append(f"{one['next']} is made now")
    asked = [("asked for by", one["asked"]), ("approved by", one["approved"])]
    lines += [f"{what} {name}" for what, name in asked if name]
    lines += [f"last try refused: {one['refused']}"] if one["refused"] else []
    lines += [f"users are hurt: {one['breach']}"] if one["breach"] else []
    lines += ["half of the users are on legacy for a moment: the new side is tested"] if one["probe"] else []
    lines += [_known(known) for known in one["known_failures"]]
    rollbacks = one["rollbacks"]
    lines += [f"rolled back by itself {rollbacks['last_day']} times in a day"] if rollbacks["last_day"] else []
    return lines + ([one["problem"]] if one["problem"] else [])


def _known(one: Mapping[str, Any]) -> str:
    what = f"{one['route'] or 'all routes together'}: {one['failed']} of {one['of']} requests"
    return f"no break, because legacy was seen to fail as well (remembered until {moment(one['until'])}): {what}"


def _until(one: Mapping[str, Any]) -> str:
    return f"until {moment(one['goes_on_at'])} at least" if one["goes_on_at"] else "nobody knows how long"


def _end(answer: Mapping[str, Any], as_json: bool) -> NoReturn:
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        print(plain(answer["message"]))
    raise typer.Exit(DONE if answer["done"] else REFUSED)
