"""The command that moves a group or route to another state or share."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from chassis.error_reason import reason
from strangler_gateway.cli.client import DONE, REFUSED, USAGE, AdminClient, Answer, fail
from strangler_gateway.cli.moves.guarded import follow
from strangler_gateway.cli.moves.move_output import end, show
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson, MovableName, given_admin
from strangler_gateway.cli.watch import Watched, counted, seconds, watch
from strangler_gateway.migration.saved import whole_file
from strangler_gateway.retirement.document import MAX_FILE
from strangler_gateway.retirement.markdown import document_in
from strangler_gateway.table.routes import MigrationState

SERVES_WITHIN_S = 5.0


def flip(
    context: typer.Context,
    unit: MovableName,
    to: Annotated[
        MigrationState, typer.Option(help="legacy, shadow, canary, extracted or retired: one step at a time.")
    ],
    share: Annotated[
        float | None, typer.Option(help="Percentage of users, in steps of 0.01; only with canary.")
    ] = None,
    why: Annotated[str, typer.Option(help="The reason, for the journal; required to move forward.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would happen; change nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Move although the preflight refuses; the journal records it.")
    ] = False,
    watch_for: Annotated[
        str | None,
        typer.Option(
            "--watch", metavar="60s", help="Then show the traffic; stops at the first error, with exit code 1."
        ),
    ] = None,
    guarded: Annotated[
        bool,
        typer.Option(
            "--rollback-on-errors",
            help="With --watch: the gateway goes back by itself when the new side fails more than the monolith; "
            "exit code 1. It also watches on if this command ends.",
        ),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --to retired: what `strangler retire-report` has written."),
    ] = None,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Move a group or route to another state or share.

    A move forward is refused while the service accepts no connection, and while the traffic so far does not show that
    the service is as good as the monolith: equal answers in shadow, no more failures in canary. A move to an earlier
    state or a lower share is never refused; in an emergency use rollback.
    """
    client = AdminClient(admin, as_json)
    duration = _flip_watched_for(client, to, share, watch_for, guarded)
    before = counted(client.get("routes"), unit) if duration and not guarded else Watched()
    wish = {"to": str(to), "share": share, "why": why, "dry_run": dry_run, "force": force}
    proof = _report(report, to, as_json)
    outcome = client.post("flip", unit=unit, **wish, guard_s=duration if guarded else None, report=proof)
    if outcome["done"] and not dry_run:
        _await_served(client, outcome)
    if not as_json:
        show(outcome, given_admin(context), str(to) if share is None else f"{to} {share:g} %")
    if not outcome["done"] or not duration or dry_run:
        end(outcome, as_json, DONE if outcome["done"] else REFUSED)
    if guarded:
        follow(client, outcome, duration, given_admin(context))
    seen = watch(lambda: counted(client.get("routes"), unit) - before, duration, shown=not as_json)
    _end_watched(outcome, seen, as_json)


def _flip_watched_for(
    client: AdminClient, to: MigrationState, share: float | None, watch_for: str | None, guarded: bool
) -> float:
    """For how many seconds the flip is watched; 0: it is not. Options that do not fit together end the command."""
    duration = seconds(watch_for) if watch_for is not None else 0.0
    if duration is None:
        client.fail(USAGE, "usage", f"--watch {watch_for} is not a duration; write 60s or 2m")
    if to is MigrationState.CANARY and share is None:
        client.fail(USAGE, "usage", "canary needs --share N")
    if to is not MigrationState.CANARY and share is not None:
        client.fail(USAGE, "usage", "only canary has a share; omit --share")
    if guarded and not duration:
        client.fail(USAGE, "usage", "--rollback-on-errors needs --watch, for example --watch 60s")
    return duration


def _report(path: Path | None, to: MigrationState, as_json: bool) -> object:
    if path is None:
        return None
    if to is not MigrationState.RETIRED:
        fail(USAGE, "usage", f"--report belongs to --to retired, not to --to {to}", as_json)
    try:
        return document_in(whole_file.read(path, MAX_FILE).decode())
    except (OSError, ValueError) as exc:
        fail(USAGE, "report", f"{path}: {reason(exc)}", as_json)


def _await_served(client: AdminClient, outcome: Answer) -> None:
    """Waits until the new table serves, or a later one."""
    end = time.monotonic() + SERVES_WITHIN_S
    while True:
        status = client.get("status")
        if status["digest"] == outcome["digest"] or status["swaps"] > outcome["swaps"]:
            return
        if time.monotonic() > end:
            client.fail(
                REFUSED, "not_served", f"the table {outcome['digest']} is not in use after {SERVES_WITHIN_S:g} s"
            )
        time.sleep(0.05)


def _end_watched(outcome: Answer, seen: Watched, as_json: bool) -> None:
    """Errors give the exit code of a refusal, so that a script stops."""
    if not as_json:
        print(f"seen since the flip: {seen}")
    if seen.errors and not as_json:
        print(f"warning: {seen.errors} errors since the flip; `strangler rollback {outcome['unit']}` goes back at once")
    if seen.differences and not as_json:
        print(f"warning: {seen.differences} answers differed; `strangler differences ROUTE` shows them")
    end({**outcome, "watched": asdict(seen)}, as_json, REFUSED if seen.errors else DONE)
