"""`polycode dead-letters`: messages that a service could not handle, and why; tried again through their keys."""

from collections.abc import Iterable
from itertools import islice
from typing import Annotated, Any

import typer

from extracted.cli import text
from extracted.cli.client import DONE, REFUSED, SERVICES, OperationsClient, of_each

app = typer.Typer(help="Messages that could not be handled: look, try again, discard.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Service = Annotated[str | None, typer.Option(help=f"One of {', '.join(SERVICES)}; else all of them.")]
OneService = Annotated[str, typer.Option("--service", help=f"Whose: {', '.join(SERVICES)}.")]
Queue = Annotated[str | None, typer.Option(help="Of one queue alone.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Which.")]
All = Annotated[bool, typer.Option("--all", help="All that wait, of the service, or of its --queue.")]
Why = Annotated[str, typer.Option("--why", help="The reason; it is logged.")]
AT_ONCE = 500


@app.command("list")
def list_(
    service: Service = None,
    queue: Queue = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of a service.")] = 100,
    as_json: AsJson = False,
) -> None:
    """The messages, the longest kept first."""
    found, code = of_each(_services(service), lambda name: list(islice(_failed_messages(name, queue, as_json), limit)))
    if as_json:
        text.as_json(found)
    else:
        columns = ("service", "id", "queue", "type", "reason", "attempts", "next attempt", "last")
        text.table(columns, [_row(name, one) for name, rows in found.items() for one in rows], "no message waits")
    raise typer.Exit(code)


@app.command()
def groups(service: Service = None, queue: Queue = None, as_json: AsJson = False) -> None:
    """How many there are of each queue, type and reason."""
    found, code = of_each(
        _services(service), lambda name: OperationsClient(name, as_json).get("parked/groups", queue=queue)["groups"]
    )
    if as_json:
        text.as_json(found)
        raise typer.Exit(code)
    rows = [
        (name, one["count"], one["queue"], one["type"], one["reason"], text.moment(one["lastAt"]))
        for name, ones in found.items()
        for one in ones
    ]
    text.table(("service", "count", "queue", "type", "reason", "last"), rows, "no message waits")
    raise typer.Exit(code)


@app.command()
def show(parked_id: Annotated[str, typer.Argument(metavar="ID")], service: OneService, as_json: AsJson = False) -> None:
    """One message with its properties and body."""
    answer = OperationsClient(_known(service), as_json).get(f"parked/{parked_id}")
    if as_json:
        text.as_json(answer)
        return
    text.table(("what", ""), answer.items(), "")


@app.command()
def redrive(
    service: OneService,
    why: Why,
    ids: Ids = None,
    everything: All = False,
    queue: Queue = None,
    as_json: AsJson = False,
) -> None:
    """Try messages again. What was done already is done once: its business key tells."""
    _change("redrive", service, _chosen(service, ids, everything, queue, as_json), why, as_json)


@app.command()
def discard(
    service: OneService,
    why: Why,
    ids: Ids = None,
    everything: All = False,
    queue: Queue = None,
    as_json: AsJson = False,
) -> None:
    """Forget messages for good."""
    _change("discard", service, _chosen(service, ids, everything, queue, as_json), why, as_json)


def _change(word: str, service: str, ids: list[str], why: str, as_json: bool) -> None:
    client, count = OperationsClient(service, as_json), 0
    for begin in range(0, len(ids), AT_ONCE):
        count += client.post(f"parked/{word}", ids=ids[begin : begin + AT_ONCE], why=why)["count"]
    if as_json:
        text.as_json({"asked": len(ids), "count": count})
    else:
        typer.echo(f"{service}: {count} of {len(ids)} messages {_DONE[word]}")
    raise typer.Exit(DONE if count == len(ids) else REFUSED)


_DONE = {"redrive": "are tried again", "discard": "are gone"}


def _chosen(service: str, ids: list[str] | None, everything: bool, queue: str | None, as_json: bool) -> list[str]:
    """Of those that wait; ids are taken as they are."""
    if bool(ids) == everything:
        raise typer.BadParameter("name ids, or --all")
    return ids or [str(one["id"]) for one in _failed_messages(_known(service), queue, as_json)]


def _failed_messages(service: str, queue: str | None, as_json: bool) -> Iterable[Any]:
    return OperationsClient(service, as_json).pages("parked", "parked", queue=queue, limit=AT_ONCE)


def _row(service: str, one: Any) -> tuple[object, ...]:
    what = (service, one["id"], one["queue"], one["type"], one["reason"], one["attempts"])
    return (*what, text.moment(one["nextAttemptAt"]), text.moment(one["lastAt"]))


def _services(service: str | None) -> list[str]:
    return list(SERVICES) if service is None else [_known(service)]


def _known(service: str) -> str:
    if service not in SERVICES:
        raise typer.BadParameter(f"{service!r} is none of {', '.join(SERVICES)}", param_hint="--service")
    return service
