"""Tells what became of a move, and how to undo it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from strangler_gateway.cli.output import command as to_paste
from strangler_gateway.cli.output import console, plain, where

Outcome = Mapping[str, Any]


def show(outcome: Outcome, admin: str | None, asked: str | None = None, still: str = "already is in") -> None:
    """One unit: before → after and the undo; or why it stays. `asked`: where it was to go; `still`: nothing moved."""
    screen = console()
    unit, before, after = outcome["unit"], where(outcome["before"]), where(outcome["after"])
    if outcome["done"]:
        screen.print(Text(plain(f"{unit}: {_moved(outcome, before, after, still)}"), style="bold"))
    else:
        screen.print(Text(plain(f"{unit} stays in {before}; {asked or 'the move'} is refused:"), style="bold red"))
    _show_reasons(screen, outcome)
    if outcome["done"] and outcome["before"] != outcome["after"] and not outcome["dry_run"]:
        screen.print(Text(f"  serves as {outcome['digest']}"))
        _show_undo(screen, undo(outcome, admin))


def _show_undo(screen: Console, commands: list[str]) -> None:
    if len(commands) == 1:
        _line(screen, f"undo: {commands[0]}")
        return
    _line(screen, "undo, step by step as each preflight allows:")
    for command in commands:
        _line(screen, f"  {command}")


def undo(outcome: Outcome, admin: str | None) -> list[str]:
    """The commands that undo a move, in order."""
    unit = outcome["unit"]
    commands = [to_paste(admin, "release", unit)] if outcome["held"] else []
    commands += [to_paste(admin, "flip", unit, *_to(place)) for place in outcome["undo"]]
    return commands or [to_paste(admin, "rollback", unit)]


def _moved(outcome: Outcome, before: str, after: str, still: str) -> str:
    if before == after:
        return f"{still} {after}" + (", on hold" if outcome["held"] else "")
    would = "would go " if outcome["dry_run"] else ""
    held = f" (on hold until `strangler release {outcome['unit']}`)" if outcome["held"] else ""
    return f"{would}{before} → {after}{held}"


def _to(place: Mapping[str, Any]) -> Iterator[str]:
    yield from ("--to", place["state"])
    if place.get("share") is not None:
        yield from ("--share", f"{place['share']:g}")
    yield from ("--why", "undo")


def _show_reasons(screen: Console, outcome: Outcome) -> None:
    for refusal in outcome["refusals"]:
        _line(screen, refusal["message"], "red")
        if "example" in refusal:
            _line(screen, f"example: {json.dumps(refusal['example'], ensure_ascii=False)}")
    if outcome["refusals"] and all(refusal["forcible"] for refusal in outcome["refusals"]):
        _line(screen, "--force overrides this, and is journalled")
    for refusal in outcome["overridden"]:
        _line(screen, f"overridden: {refusal['message']}", "yellow")
    for warning in outcome["warnings"]:
        _line(screen, f"note: {warning}", "yellow")


def _line(screen: Console, text: str, style: str = "") -> None:
    screen.print(Text(f"  {plain(text)}", style=style), soft_wrap=True)
