"""The command `record`: writes the monolith's answers into a file that `replay` reads."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from chassis.error_reason import reason
from strangler_gateway.cli.client import DONE, REFUSED, UNREACHABLE, USAGE, AdminClient, fail
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson
from strangler_gateway.cli.output import plain, show_progress
from strangler_gateway.cli.watch import seconds
from strangler_gateway.recording.body import LeftOut
from strangler_gateway.recording.har import HarArchive, HarInvalid
from strangler_gateway.recording.record import Tally
from strangler_gateway.recording.scrub import Scrubber

Counts = Mapping[str, Any]


def record(
    to: Annotated[
        Path, typer.Option(metavar="FILE", help="The file to write, readable only by you. It must not exist.")
    ],
    for_: Annotated[str, typer.Option("--for", metavar="10m", help="How long to record.")] = "10m",
    most: Annotated[int, typer.Option("--max", min=1, max=100_000, help="How many exchanges at most.")] = 1000,
    route: Annotated[str | None, typer.Option(metavar="ID", help="Record only this route.")] = None,
    share: Annotated[
        float, typer.Option(min=0.01, max=100, help="Percentage of callers to record; all requests of each of them.")
    ] = 100.0,
    from_har: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read an HTTP archive (HAR) instead of a gateway's traffic.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(metavar="URL", help="Which origin of the archive.  [default: the one called most]")
    ] = None,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Record the monolith's answers, without secrets.

    Takes the gateway's traffic on the legacy side. Ends when time is up, after --max exchanges, or with Ctrl-C.
    Credentials, cookies and everything that looks like a secret become pseudonyms before they are sent or written.
    """
    duration = seconds(for_)
    if not duration:
        fail(USAGE, "usage", f"--for {for_} is not a duration; write 10m or 90s", as_json)
    if to.exists():
        fail(REFUSED, "exists", f"{to} exists already and is not overwritten", as_json)
    if from_har is not None:
        counts = _import(from_har, origin, to, as_json)
    else:
        wanted = {"for_s": duration, "max": most, "route": route, "share": share}
        counts = _listen(AdminClient(admin, as_json), wanted, to)
    _tell(to, counts, as_json)
    raise typer.Exit(DONE)


def _listen(client: AdminClient, wanted: Mapping[str, object], to: Path) -> Counts:
    """Writes the lines as they come; an interrupted recording is valid as well."""
    counts: Counts | None = None
    with client.stream("record", **wanted) as lines, _opened(to, client.as_json) as file:
        try:
            for line in lines:
                told = json.loads(line)
                counts = told.get("end", told.get("progress", counts))
                if "end" in told:
                    break
                if "progress" in told:
                    show_progress(_sentence(told["progress"]))
                else:
                    file.write(line + "\n")
                    file.flush()
            else:
                client.fail(UNREACHABLE, "ended", f"the gateway has stopped; {to} holds what came before")
        except KeyboardInterrupt:
            counts = counts or {"taken": 0, "left_out": {}}
        finally:
            show_progress("")
    return counts or {}


def _import(source: Path, origin: str | None, to: Path, as_json: bool) -> Counts:
    scrubber, tally = Scrubber(), Tally()
    try:
        archive = HarArchive(source, origin)
    except (OSError, HarInvalid) as exc:
        fail(USAGE, "unreadable", f"{source} cannot be used: {reason(exc)}", as_json)
    with _opened(to, as_json) as file:
        meta = {"what": "an HTTP archive, without secrets", "by": "strangler record", "origin": archive.origin}
        _write(file, {"meta": meta})
        for captured in archive:
            try:
                _write(file, scrubber.step(captured).line())
                tally.taken += 1
            except LeftOut as exc:
                tally.leave_out(str(exc))
    named = {"other_origins": archive.others, "not_whole": archive.left_out}
    return {"taken": tally.taken, "left_out": tally.left_out | {name: n for name, n in named.items() if n}}


def _write(file: TextIO, value: Mapping[str, Any]) -> None:
    file.write(json.dumps(value) + "\n")


def _opened(path: Path, as_json: bool) -> TextIO:
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except OSError as exc:
        fail(USAGE, "unwritable", f"{path} cannot be written: {reason(exc)}", as_json)


def _tell(to: Path, counts: Counts, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"file": str(to), **counts}, ensure_ascii=False))
        return
    print(plain(f"{to}: {_sentence(counts)}; next: strangler replay {to} --against URL"))


def _sentence(counts: Counts) -> str:
    left: Iterable[tuple[str, int]] = counts.get("left_out", {}).items()
    left_out = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in left)
    return f"{counts.get('taken', 0)} exchanges" + (f", left out: {left_out}" if left_out else "")
