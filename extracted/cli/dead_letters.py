"""`polycode dead-letters`: lists, shows, retries and discards messages that a service could not handle."""

from collections.abc import Iterable
from itertools import islice
from typing import Annotated, Any

import typer

from extracted.cli import text
from extracted.cli.client import DONE, REFUSED, OperationsClient, of_each
from extracted.cli.options import AsJson, segment

CONSUMERS = ("account", "shop", "mailer")
"""The services that take messages from queues. Learning only sends them."""
app = typer.Typer(help="List, show, retry and discard messages that could not be handled.", no_args_is_help=True)
Service = Annotated[str | None, typer.Option(help=f"One of {', '.join(CONSUMERS)}. Default: all.")]
OneService = Annotated[str, typer.Option("--service", help=f"One of {', '.join(CONSUMERS)}.")]
Queue = Annotated[str | None, typer.Option(help="Only messages of this queue.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="The ids of messages.")]
All = Annotated[bool, typer.Option("--all", help="All messages of the service, or of its --queue.")]
Why = Annotated[str, typer.Option("--why", help="The reason. It is logged.")]
AT_ONCE = 500
_COLUMNS = ("service", "id", "queue", "type", "reason", "attempts", "next attempt", "last")
_GROUP_COLUMNS = ("service", "count", "queue", "type", "reason", "last")
_DONE = {"redrive": "will be tried again", "discard": "deleted"}


@app.command("list")
def list_(
    service: Service = None,
    queue: Queue = None,
    limit: Annotated[int, typer.Option(min=1, help="The largest number of messages of a service.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List messages in the order of their ids."""
    found, code = of_each(_services(service), lambda name: list(islice(_failed_messages(name, queue, as_json), limit)))
    rows = [_row(name, one) for name, ones in found.items() for one in ones]
    text.show(found, _COLUMNS, rows, as_json=as_json, empty="no messages found")
    raise typer.Exit(code)


@app.command()
def groups(service: Service = None, queue: Queue = None, as_json: AsJson = False) -> None:
    """Count messages by queue, type and reason."""
    found, code = of_each(
        _services(service), lambda name: OperationsClient(name, as_json).get("parked/groups", queue=queue)["groups"]
    )
    rows = [
        (name, one["count"], one["queue"], one["type"], one["reason"], text.moment(one["lastAt"]))
        for name, ones in found.items()
        for one in ones
    ]
    text.show(found, _GROUP_COLUMNS, rows, as_json=as_json, empty="no messages found")
    raise typer.Exit(code)


@app.command()
def show(
    message_id: Annotated[str, typer.Argument(metavar="ID")], service: OneService, as_json: AsJson = False
) -> None:
    """Show one message with its properties and body."""
    answer = OperationsClient(_known(service), as_json).get(f"parked/{segment(message_id)}")
    text.show(answer, ("what", ""), text.lines(answer), as_json=as_json)


@app.command()
def redrive(
    service: OneService,
    why: Why,
    ids: Ids = None,
    everything: All = False,
    queue: Queue = None,
    as_json: AsJson = False,
) -> None:
    """Try messages again. Work that was done already is not done twice."""
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
    """Delete messages for ever."""
    _change("discard", service, _chosen(service, ids, everything, queue, as_json), why, as_json)


def _change(verb: str, service: str, ids: list[str], why: str, as_json: bool) -> None:
    client, count = OperationsClient(service, as_json), 0
    for begin in range(0, len(ids), AT_ONCE):
        count += client.post(f"parked/{verb}", ids=ids[begin : begin + AT_ONCE], why=why)["count"]
    if as_json:
        text.print_json({"asked": len(ids), "count": count})
    else:
        typer.echo(f"{service}: {count} of {len(ids)} messages {_DONE[verb]}")
    raise typer.Exit(DONE if count == len(ids) else REFUSED)


def _chosen(service: str, ids: list[str] | None, everything: bool, queue: str | None, as_json: bool) -> list[str]:
    """The ids that were given, or all of the service."""
    if bool(ids) == everything:
        raise typer.BadParameter("expected ids or --all")
    return ids or [str(one["id"]) for one in _failed_messages(_known(service), queue, as_json)]


def _failed_messages(service: str, queue: str | None, as_json: bool) -> Iterable[Any]:
    return OperationsClient(service, as_json).pages("parked", "parked", queue=queue, limit=AT_ONCE)


def _row(service: str, one: Any) -> tuple[object, ...]:
    what = (service, one["id"], one["queue"], one["type"], one["reason"], one["attempts"])
    return (*what, text.moment(one["nextAttemptAt"]), text.moment(one["lastAt"]))


def _services(service: str | None) -> list[str]:
    return list(CONSUMERS) if service is None else [_known(service)]


def _known(service: str) -> str:
    if service not in CONSUMERS:
        names = ", ".join(CONSUMERS)
        raise typer.BadParameter(f'"{text.plain(service)}" is not one of {names}', param_hint="--service")
    return service
