"""The command `top`: the migration at a glance, group by group, as long as somebody looks."""

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from strangler_gateway.cli.client import USAGE, AdminClient, Answer
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson
from strangler_gateway.cli.output import live_screen, plain, show_table
from strangler_gateway.cli.overview import Look, group_rows, problems, summary, totals
from strangler_gateway.cli.watch import seconds

COLUMNS = ("group", "state", "hold", "requests/s", "new side", "legacy fails", "new fails", "plan")
NUMBERS = frozenset({"requests/s", "new side", "legacy fails", "new fails"})
ONCE_S = 1.0


def top(
    every: Annotated[str, typer.Option(metavar="2s", help="How often to look.")] = "2s",
    once: Annotated[bool, typer.Option("--once", help="Look for one second, print, and end; for pipes.")] = False,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Show how far the migration is, and what goes where now.

    Rates and failures are those since the last look. Ctrl-C ends it. Where the output is no terminal, or with --json,
    it looks once.
    """
    client = AdminClient(admin, as_json)
    pause = seconds(every)
    if pause is None or not 0.5 <= pause <= 3600:
        client.fail(USAGE, "usage", f"--every {every} is not a duration from 0.5s to 1h; write 2s")
    with live_screen() as show:
        if show is None or once or as_json:
            _once(client)
        else:
            with contextlib.suppress(KeyboardInterrupt):  # whether it looks, draws or waits
                for before, now in _looks(client, pause):
                    show([*_lines(before, now)], COLUMNS, group_rows(before, now), NUMBERS)


def _looks(client: AdminClient, pause: float) -> Iterator[tuple[Look, Look]]:
    """Each look with the one before, without end."""
    before = _look(client)
    while True:
        time.sleep(pause)
        now = _look(client)
        yield before, now
        before = now


def _once(client: AdminClient) -> None:
    before, now = next(_looks(client, ONCE_S))
    rows = group_rows(before, now)
    if client.as_json:
        groups = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        print(json.dumps({**totals(before, now), "problems": problems(now), "groups": groups}, ensure_ascii=False))
        return
    for line in _lines(before, now):
        print(plain(line))
    print()
    show_table(COLUMNS, rows, NUMBERS)


def _look(client: AdminClient) -> Look:
    at, routes = time.monotonic(), client.get("routes")
    plans: Sequence[Answer] = client.get("plans")["plans"]
    return Look(at, routes, {str(one["group"]): one for one in plans})


def _lines(before: Look, now: Look) -> Iterator[str]:
    yield summary(before, now)
    yield from problems(now)
