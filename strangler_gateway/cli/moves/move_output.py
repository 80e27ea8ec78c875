"""Reports the result of a move, and how to undo it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import typer

from strangler_gateway.cli.output import example_lines, show_lines, to_paste, where

Outcome = Mapping[str, Any]
Line = tuple[str, str]
"""A text and its style."""


def show(outcome: Outcome, admin: str | None, asked: str | None = None, still: str = "is already in") -> None:
    """One movable: before → after and the undo; or why it stays.

    `asked`: where it was to go; `still`: what is said where nothing moved.
    """
    show_lines(_lines(outcome, admin, asked, still))


def _lines(outcome: Outcome, admin: str | None, asked: str | None, still: str) -> Iterator[Line]:
    unit, before, after = outcome["unit"], where(outcome["before"]), where(outcome["after"])
    if outcome["done"]:
        yield f"{unit}: {_moved(outcome, before, after, still)}", "bold"
    else:
        yield f"{unit} stays in {before}; {asked or 'the move'} is refused:", "bold red"
    yield from ((f"  {text}", style) for text, style in _reasons(outcome))
    if outcome["done"] and outcome["before"] != outcome["after"] and not outcome["dry_run"]:
        yield f"  serves as {outcome['digest']}", ""
        yield from ((f"  {text}", "") for text in _undo(outcome, admin))


def _undo(outcome: Outcome, admin: str | None) -> list[str]:
    commands = undo_commands(outcome, admin)
    if len(commands) == 1:
        return [f"undo: {commands[0]}"]
    return ["undo, step by step as each preflight allows:", *(f"  {command}" for command in commands)]


def undo_commands(outcome: Outcome, admin: str | None) -> list[str]:
    """The commands that undo a move, in order."""
    unit = outcome["unit"]
    commands = [to_paste(admin, "release", unit)] if outcome["held"] else []
    commands += [to_paste(admin, "flip", unit, *_to(place)) for place in outcome["undo"]]
    return commands or [to_paste(admin, "rollback", unit)]


def _moved(outcome: Outcome, before: str, after: str, still: str) -> str:
    if before == after:
        return f"{still} {after}" + (", on hold" if outcome["held"] else "")
    would = "would move " if outcome["dry_run"] else ""
    held = f" (on hold until `strangler release {outcome['unit']}`)" if outcome["held"] else ""
    return f"{would}{before} → {after}{held}"


def _example(example: Mapping[str, Any]) -> str:
    """A kind of difference as text; what else there is as JSON."""
    if "differences" in example:
        return "; ".join(map(str.strip, example_lines(example)))
    return json.dumps(example, ensure_ascii=False)


def _to(place: Mapping[str, Any]) -> Iterator[str]:
    yield from ("--to", place["state"])
    if place.get("share") is not None:
        yield from ("--share", f"{place['share']:g}")
    yield from ("--why", "undo")


def _reasons(outcome: Outcome) -> Iterator[Line]:
    for refusal in outcome["refusals"]:
        yield refusal["message"], "red"
        if "example" in refusal:
            yield f"example: {_example(refusal['example'])}", ""
    if outcome["refusals"] and all(refusal["forcible"] for refusal in outcome["refusals"]):
        yield "--force overrides this; the journal records it", ""
    for refusal in outcome["overridden"]:
        yield f"overridden: {refusal['message']}", "yellow"
    for warning in outcome["warnings"]:
        yield f"note: {warning}", "yellow"


def reached_lines(answer: Mapping[str, Any], units: str) -> list[str]:
    """After a rollback: on which gateways it is served, and what to do about the others."""
    rows, asked = answer.get("gateways", []), answer.get("asked", [])
    lines = [f"{row['admin']} was not reached ({row['problem']})" for row in asked if not row["reached"]]
    if len(rows) < 2:
        return [f"rolled back at {_named(asked, 'admin')}", *lines] if asked else []
    late = [_unreached(row, units) for row in rows if not row["reached"]]
    return [f"rolled back on {_named(rows, 'name')}", *lines, *late]


def _named(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    return ", ".join(row[name] for row in rows if row["reached"])


def _unreached(row: Mapping[str, Any], units: str) -> str:
    last = f", last seen serving {row['serving']}" if row["serving"] else ""
    return (
        f"{row['name']} was not reached ({row['problem']}){last}; it follows when it sees the store. "
        f"Now: strangler rollback {units} --admin {row['admin'] or 'URL'}"
    )


def end(answer: Mapping[str, Any], as_json: bool, code: int) -> NoReturn:
    """Ends the command with this exit code; the answer is printed if JSON is wanted."""
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
    raise typer.Exit(code)
