"""The command `top`: the migration at a glance, group by group, as long as somebody looks."""

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Annotated, NamedTuple

import typer

from strangler_gateway.cli.client import USAGE, AdminClient, Answer
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson
from strangler_gateway.cli.output import Row, live_screen, plain, show_table
from strangler_gateway.cli.queries.overview import group_rows, summary, totals
from strangler_gateway.cli.watch import seconds

COLUMNS = ("group", "state", "hold", "requests/s", "new side", "legacy fails", "new fails", "plan")
NUMBERS = frozenset({"requests/s", "new side", "legacy fails", "new fails"})
ONCE_S = 1.0


class _Look(NamedTuple):
    overview: Answer
    rows: list[Row]

    @property
    def lines(self) -> list[str]:
        return [summary(self.overview), *map(str, self.overview["problems"])]


def top(
    every: Annotated[str, typer.Option(metavar="2s", help="How often to look.")] = "2s",
    once: Annotated[bool, typer.Option("--once", help="Look for one second, print, and end; for pipes.")] = False,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Show how far the migration is, and what goes where now, at all gateways.

    Rates and failures are those of the last 10 seconds. Ctrl-C ends it. Where the output is no terminal, or with
    --json, it looks once.
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
                for look in _looks(client, pause):
                    show(look.lines, COLUMNS, look.rows, NUMBERS)


def _looks(client: AdminClient, pause: float) -> Iterator[_Look]:
    """Without end."""
    while True:
        overview, plans = client.get("overview"), client.get("plans")["plans"]
        yield _Look(overview, group_rows(overview, {str(one["group"]): one for one in plans}))
        time.sleep(pause)


def _once(client: AdminClient) -> None:
    """What comes in this second is counted, too."""
    client.get("overview")
    time.sleep(ONCE_S)
    look = next(_looks(client, ONCE_S))
    if client.as_json:
        groups = [dict(zip(COLUMNS, row, strict=True)) for row in look.rows]
        shown = {**totals(look.overview), "problems": look.overview["problems"], "groups": groups}
        print(json.dumps(shown, ensure_ascii=False))
        return
    for line in look.lines:
        print(plain(line))
    print()
    show_table(COLUMNS, look.rows, NUMBERS)
