"""`flip --watch --rollback-on-errors`: follows the gateway's own guard of a group or route until it ends."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import typer

from strangler_gateway.cli.client import DONE, REFUSED, UNREACHABLE, AdminClient, Answer
from strangler_gateway.cli.output import plain, show_progress, to_paste

EVERY_S = 1.0
LINE_EVERY_S = 5.0
"""Where no terminal shows a line that is replaced."""
LATE_S = 5.0
"""So much later than its end a guard is given up."""

_ENDED = {
    "over": (DONE, "no alarm until the time was up"),
    "moved": (REFUSED, "somebody else has moved it meanwhile; nobody watches it any more, see `strangler log`"),
    "failed": (REFUSED, "the guard has failed, nobody watches any more; the gateway's log says why"),
    "replaced": (REFUSED, "somebody has asked for another guard, which watches instead of this one"),
    "gone": (REFUSED, "the gateway was started again, so nobody watches any more"),
    "lost": (UNREACHABLE, "the gateway does not answer any more. If it runs, it watches until the time is up"),
    "interrupted": (REFUSED, "this command has ended, and the gateway goes on: it watches until the time is up"),
}
"""By the guard's state: exit code, and what it means."""


def follow(client: AdminClient, outcome: Answer, duration_s: float, admin: str | None) -> NoReturn:
    """Shows a line while the guard watches, then how it ended; ends the command."""
    unit = outcome["unit"]
    seen: dict[str, Any] = {}
    try:
        state = _followed(lambda: client.try_get("gate", unit=unit), seen, duration_s, shown=not client.as_json)
    except KeyboardInterrupt:
        state = "interrupted"
    show_progress("")
    if state == "rolled_back":
        code, meaning = REFUSED, f"rolled back automatically, and on hold: {seen['guard']['alarm']}"
    else:
        code, meaning = _ENDED[state]
    if client.as_json:
        watched = {"state": state, "message": meaning, "gate": seen.get("gate")}
        print(json.dumps({**outcome, "guard": seen.get("guard"), "watched": watched}, ensure_ascii=False))
    else:
        print(plain(f"{unit}: {meaning}"))
        print(f"  {_next(state, unit, admin)}")
    raise typer.Exit(code)


def _followed(ask: Callable[[], Answer | None], seen: dict[str, Any], duration_s: float, *, shown: bool) -> str:
    """The state in which the guard ended. `seen` becomes the last answer."""
    begun = told = time.monotonic()
    told -= LINE_EVERY_S
    while True:
        answer, now = ask(), time.monotonic()
        if answer is not None:
            state = _state(answer, seen)
            seen.update(answer)
            if state != "watching":
                return state
        if now - begun > duration_s + LATE_S:
            return "lost"
        line = f"{now - begun:.0f} of {duration_s:g} s: {_line(answer)}"
        if shown:
            show_progress(line)
        if shown and now - told >= LINE_EVERY_S:
            told = now
            _tell(line)
        time.sleep(EVERY_S)


def _state(answer: Answer, before: Mapping[str, Any]) -> str:
    guard = answer["guard"]
    if not guard:
        return "gone"
    if before and before["guard"]["until"] != guard["until"]:
        return "replaced"
    return str(guard["state"])


def _tell(line: str) -> None:
    if not sys.stderr.isatty():
        print(plain(line), flush=True)


def _line(answer: Answer | None) -> str:
    if answer is None:
        return "the gateway does not answer; if it runs, it goes on watching"
    sides = list(answer["gate"]["routes"].values())
    new, legacy = (_sum(sides, side) for side in ("extracted", "legacy"))
    return f"new side {new}, legacy {legacy}; the gate says {answer['gate']['verdict'] or 'nothing here'}"


def _sum(sides: list[Mapping[str, Any]], side: str) -> str:
    failed, of = (sum(route[side][name] for route in sides) for name in ("failed", "of"))
    return f"{failed} of {of} failed"


def _next(state: str, unit: str, admin: str | None) -> str:
    if state == "rolled_back":
        return f"when it is repaired: {to_paste(admin, 'release', unit)}"
    return f"to go back at once: {to_paste(admin, 'rollback', unit)}"
