"""`polycode mails`: lists and shows mails, acts on them, previews kinds, shows suppressed addresses."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from chassis.error_reason import reason
from extracted.cli import text
from extracted.cli.client import USAGE, JsonObject, OperationsClient, operator_name
from extracted.cli.options import After, AsJson, segment

app = typer.Typer(
    help="List, show, cancel, retry, decide and preview mails; list and lift suppressions.", no_args_is_help=True
)
MailId = Annotated[str, typer.Argument(metavar="ID")]
MailIds = Annotated[list[str], typer.Argument(metavar="ID…")]
Why = Annotated[str, typer.Option("--why", help="The reason. It is logged and kept with the mail.")]
_COLUMNS: Final = ("id", "state", "kind", "recipient", "attempts", "ambiguous", "asked for", "due", "reason")
_SUPPRESSED: Final = ("recipient", "since", "until", "reason")


@app.command("list")
def list_(
    state: Annotated[
        list[str] | None,
        typer.Option(
            help="queued, sending, sent, deferred, failed, ambiguous, suppressed or cancelled; can be repeated."
        ),
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Only mails of this kind.")] = None,
    recipient: Annotated[str | None, typer.Option(help="Only mails to this address.")] = None,
    after: After = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="The largest number of mails.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List mails, newest first."""
    states = [one.lower() for one in state or ()] or None
    answer = _mailer(as_json).get("", state=states, kind=kind, recipient=recipient, after=after, limit=limit)
    rows = [_row(one) for one in answer["mails"]]
    text.show_page(answer, _COLUMNS, rows, as_json=as_json, empty="no mails found")


@app.command()
def show(mail_id: MailId, as_json: AsJson = False) -> None:
    """Show one mail with its history, but never its content."""
    answer = _mailer(as_json).get(f"/{segment(mail_id)}")
    if as_json:
        text.print_json(answer)
        return
    text.print_table(_COLUMNS, [_row(answer)])
    lines = [(text.moment(one["at"]), one["state"], one["detail"], one["by"]) for one in answer["history"]]
    text.print_table(("when", "what", "", "by"), lines)


@app.command()
def cancel(mail_ids: MailIds, why: Why, as_json: AsJson = False) -> None:
    """Cancel mails that are queued or deferred."""
    _change(mail_ids, "cancel", as_json, why=why)


@app.command()
def retry(mail_ids: MailIds, why: Why, as_json: AsJson = False) -> None:
    """Send deferred, failed, suppressed or cancelled mails now, with all attempts."""
    _change(mail_ids, "retry", as_json, why=why)


@app.command()
def decide(
    mail_ids: MailIds,
    outcome: Annotated[str, typer.Option(help="sent: the provider has the mail; again: send it once more.")],
    why: Why,
    as_json: AsJson = False,
) -> None:
    """Decide on ambiguous mails: the provider got all of the mail and never answered."""
    _change(mail_ids, "decide", as_json, why=why, outcome=outcome)


@app.command()
def preview(
    kind: Annotated[str, typer.Argument(metavar="KIND")],
    locale: Annotated[str, typer.Option(help="A language tag.")] = "en",
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="The folder for the two files.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write KIND.LOCALE.html and KIND.LOCALE.txt with sample values, and print the subject."""
    client = _mailer(as_json)
    answer = client.get(f"/preview/{segment(kind, 'KIND')}", locale=segment(locale, "--locale"))
    for ending in ("html", "txt"):
        _write(client, out / f"{kind}.{locale}.{ending}", answer["text" if ending == "txt" else ending])
    if as_json:
        text.print_json(answer)
    else:
        typer.echo(text.plain(answer["subject"]))


@app.command()
def suppressions(
    after: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The page after this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="The largest number of addresses.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List suppressed addresses: nothing is sent to them for now, because they bounced too often."""
    answer = _mailer(as_json).get("/suppressions", after=after, limit=limit)
    rows = [
        (one["recipient"], text.moment(one["since"]), text.moment(one["until"]), one["reason"])
        for one in answer["suppressions"]
    ]
    text.show_page(answer, _SUPPRESSED, rows, as_json=as_json, empty="no address is suppressed")


@app.command()
def lift(recipient: Annotated[str, typer.Argument(metavar="ADDRESS")], why: Why, as_json: AsJson = False) -> None:
    """Send to a suppressed address again. Use `retry` for mails that were suppressed meanwhile."""
    answer = _mailer(as_json).post("/suppressions/lift", recipient=recipient, why=why, by=operator_name())
    if as_json:
        text.print_json(answer)
    else:
        typer.echo(f"{text.plain(recipient)} is no longer suppressed")


def _change(mail_ids: list[str], verb: str, as_json: bool, **asked: str) -> None:
    """Changes one mail after another, up to the first that is refused."""
    client = _mailer(as_json)
    changed: list[JsonObject] = []
    try:
        for mail_id in map(segment, mail_ids):
            changed.append(client.post(f"/{mail_id}/{verb}", by=operator_name(), **asked))
    finally:
        _show(changed, as_json)


def _show(changed: list[JsonObject], as_json: bool) -> None:
    if changed:
        text.show({"mails": changed}, _COLUMNS, [_row(one) for one in changed], as_json=as_json)


def _mailer(as_json: bool) -> OperationsClient:
    return OperationsClient("mailer", as_json, below="/mails")


def _row(one: Any) -> tuple[object, ...]:
    what = (one["id"], one["state"], one["kind"], one["recipient"], one["attempts"], one["ambiguities"])
    return (*what, text.moment(one["createdAt"]), text.moment(one["dueAt"]), one["reason"])


def _write(client: OperationsClient, file: Path, content: str) -> None:
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as error:
        client.fail(USAGE, f"{file} cannot be written ({reason(error)})")
