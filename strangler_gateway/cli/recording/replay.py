"""The command `replay`: does another server answer as recorded?"""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from chassis.error_reason import reason
from strangler_gateway.cli.client import DONE, REFUSED, UNREACHABLE, USAGE, fail
from strangler_gateway.cli.options import AsJson
from strangler_gateway.cli.output import plain, show_progress, show_table
from strangler_gateway.cli.watch import seconds
from strangler_gateway.recording.client import NoAnswer
from strangler_gateway.recording.replay import Replay, ReplayOptions, StepResult
from strangler_gateway.recording.step import Pairs, RecordingInvalid, load
from strangler_gateway.telemetry.stats import path_shape

SETUP_WITHIN_S = 300.0
SHOWN = 50
_VALUE = re.compile(r"([^\s=]+)=(\S.*)")


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording.")],
    against: Annotated[str, typer.Option(metavar="URL", help="The server to send the requests to.")],
    header: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'NAME: VALUE'", help="Send this with each request; a credential only where the caller had one."
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="Do not compare this: $.data.id, or 'header etag'.")
    ] = None,
    setup: Annotated[
        str | None,
        typer.Option(metavar="CMD", help="Run this first, in a shell. It may print NAME=VALUE: values of this run."),
    ] = None,
    unsafe: Annotated[
        bool, typer.Option("--unsafe", help="Send writes as well, not only GET, HEAD and OPTIONS.")
    ] = False,
    within: Annotated[str, typer.Option(metavar="10m", help="Send nothing after this time.")] = "10m",
    as_json: AsJson = False,
) -> None:
    """Replay a recording and compare.

    Later requests send the values (ids, tokens) that the server returns now in place of the recorded ones.
    The exit code is 1 if an answer differs, or if no step could be compared.
    """
    try:
        steps = load(file)
    except (OSError, RecordingInvalid) as exc:
        fail(USAGE, "unreadable", f"{file} cannot be used: {reason(exc)}", as_json)
    within_s = seconds(within)
    if not within_s:
        fail(USAGE, "usage", f"--within {within} is not a duration; write 10m or 90s", as_json)
    options = ReplayOptions(
        _fields(header or [], as_json), tuple(ignore or ()), _set_up(setup, as_json), unsafe, within_s=within_s
    )
    try:
        results = _played(Replay(steps, against, options), len(steps))
    except (httpx.InvalidURL, ValueError) as exc:
        fail(USAGE, "usage", str(exc), as_json)
    except NoAnswer as exc:
        fail(UNREACHABLE, "unreachable", f"no server answers at {against} ({exc})", as_json)
    counts: Counter[str] = Counter(result.outcome for result in results)
    if as_json:
        print(json.dumps(_report(results, counts)))
    else:
        _show(results, counts)
    raise typer.Exit(DONE if counts["same"] and not counts["different"] else REFUSED)


def _played(replay: Replay, steps: int) -> list[StepResult]:
    results: list[StepResult] = []
    try:
        for result in replay.results():
            results.append(result)
            show_progress(f"{len(results)} of {steps}")
    finally:
        show_progress("")
    return results


def _fields(given: Sequence[str], as_json: bool) -> Pairs:
    pairs = [(name.strip(), value.strip()) for name, mark, value in (text.partition(":") for text in given) if mark]
    if len(pairs) < len(given) or not all(name and (name + value).isprintable() for name, value in pairs):
        fail(USAGE, "usage", "a --header is NAME: VALUE", as_json)
    return tuple(pairs)


def _set_up(command: str | None, as_json: bool) -> Pairs:
    if command is None:
        return ()
    try:
        done = subprocess.run(  # noqa: S602  # the operator's own command line, as in a shell
            command, shell=True, check=False, timeout=SETUP_WITHIN_S, stdout=subprocess.PIPE, text=True
        )
    except subprocess.TimeoutExpired:
        fail(REFUSED, "setup", f"--setup did not finish within {SETUP_WITHIN_S:g} s", as_json)
    if done.returncode:
        fail(REFUSED, "setup", f"--setup ended with exit code {done.returncode}; nothing was sent", as_json)
    found = (_VALUE.fullmatch(line) for line in done.stdout.splitlines())
    return tuple((match[1], match[2]) for match in found if match)


def _show(results: Sequence[StepResult], counts: Counter[str]) -> None:
    shapes: dict[str, Counter[str]] = {}
    for result in results:
        shape = path_shape(result.step.method.encode(), result.step.target.partition("?")[0].encode())
        shapes.setdefault(shape, Counter())[result.outcome] += 1
    columns = ("request", "same", "different", "skipped")
    rows = [(shape, *(seen[outcome] for outcome in columns[1:])) for shape, seen in sorted(shapes.items())]
    show_table(columns, rows, frozenset(columns[1:]))
    differing = [(result, one) for result in results for one in result.differences]
    if differing:
        print()
        shown = [
            (r.step.name, f"{r.step.method} {r.step.target}", d.where, d.legacy, d.extracted) for r, d in differing
        ]
        show_table(("step", "request", "where", "recorded", "received"), shown[:SHOWN])
    if len(differing) > SHOWN:
        print(f"and {len(differing) - SHOWN} more differences; --json prints all")
    for why, n in Counter(result.reason for result in results if result.reason).most_common():
        print(plain(f"{n} skipped: {why}{_HOW.get(why, '')}"))
    print(f"{counts['same']} same, {counts['different']} different, {counts['skipped']} skipped")


_HOW = {
    "not safe": " (--unsafe sends them: use a test database only)",
    "needs a credential that the recording does not hold": " (--header 'Authorization: …', or --setup)",
}


def _report(results: Sequence[StepResult], counts: Counter[str]) -> dict[str, Any]:
    shown = [
        {
            "step": result.step.name,
            "method": result.step.method,
            "path": result.step.target,
            "outcome": result.outcome,
            "reason": result.reason,
            "differences": [
                {"where": one.where, "recorded": one.legacy, "received": one.extracted} for one in result.differences
            ],
        }
        for result in results
    ]
    return {"same": counts["same"], "different": counts["different"], "skipped": counts["skipped"], "steps": shown}
