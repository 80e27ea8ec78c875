"""`polycode mails`: by state, kind and address, one with its history, what operators do with one, how a kind looks."""

import getpass
import re
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from extracted.cli import text
from extracted.cli.client import USAGE, JsonObject, OperationsClient

app = typer.Typer(help="Mails: look, cancel, retry, decide; previews; suppressed addresses.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
MailId = Annotated[str, typer.Argument(metavar="ID")]
MailIds = Annotated[list[str], typer.Argument(metavar="ID…")]
Why = Annotated[str, typer.Option("--why", help="The reason; it is logged, and kept with the mail.")]
_COLUMNS: Final = ("id", "state", "kind", "recipient", "attempts", "ambiguous", "asked for", "due", "reason")
_SUPPRESSED: Final = ("recipient", "since", "until", "reason")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


@app.command("list")
def list_(
    state: Annotated[
        list[str] | None,
        typer.Option(help="queued, sending, sent, deferred, failed, ambiguous, suppressed or cancelled; several."),
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Of one kind alone.")] = None,
    recipient: Annotated[str | None, typer.Option(help="To one address alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """The newest first."""
    states = [one.lower() for one in state or ()] or None
    answer = _mailer(as_json).get("", state=states, kind=kind, recipient=recipient, limit=limit)
    if as_json:
        text.as_json(answer)
        return
    text.table(_COLUMNS, [_row(one) for one in answer["mails"]], "no such mails")
    if answer["next"]:
        typer.echo(f"… and more; --limit shows up to 500, --json tells where the next page begins ({answer['next']})")


@app.command()
def show(mail_id: MailId, as_json: AsJson = False) -> None:
    """One mail with its history; never what stands in it."""
    answer = _mailer(as_json).get(f"/{_segment(mail_id)}")
    if as_json:
        text.as_json(answer)
        return
    text.table(_COLUMNS, [_row(answer)], "")
    lines = [(text.moment(one["at"]), one["state"], one["detail"], one["by"]) for one in answer["history"]]
    text.table(("when", "what", "", "by"), lines, "")


@app.command()
def cancel(mail_ids: MailIds, why: Why, as_json: AsJson = False) -> None:
    """Do not send what is queued or deferred."""
    _change(mail_ids, "cancel", as_json, why=why)


@app.command()
def retry(mail_ids: MailIds, why: Why, as_json: AsJson = False) -> None:
    """Send what is deferred, failed, suppressed or cancelled at once, with all attempts."""
    _change(mail_ids, "retry", as_json, why=why)


@app.command()
def decide(
    mail_ids: MailIds,
    outcome: Annotated[str, typer.Option(help="sent: it has arrived; again: send it once more.")],
    why: Why,
    as_json: AsJson = False,
) -> None:
    """What became of ambiguous ones: the provider was given all of it, and never answered."""
    _change(mail_ids, "decide", as_json, why=why, outcome=outcome)


@app.command()
def preview(
    kind: Annotated[str, typer.Argument(metavar="KIND")],
    locale: Annotated[str, typer.Option(help="A language tag.")] = "en",
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the two files go.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write KIND.LOCALE.html and KIND.LOCALE.txt with the kind's own samples, and print the subject."""
    client = _mailer(as_json)
    answer = client.get(f"/preview/{_segment(kind, 'KIND')}", locale=_segment(locale, "--locale"))
    for ending in ("html", "txt"):
        _write(client, out / f"{kind}.{locale}.{ending}", answer["text" if ending == "txt" else ending])
    if as_json:
        text.as_json(answer)
    else:
        typer.echo(text.plain(answer["subject"]))


@app.command()
def suppressions(
    limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 100, as_json: AsJson = False
) -> None:
    """Addresses that nothing is sent to for now: they have bounced too often."""
    answer = _mailer(as_json).get("/suppressions", limit=limit)
    if as_json:
        text.as_json(answer)
        return
    rows = [
        (one["recipient"], text.moment(one["since"]), text.moment(one["until"]), one["reason"])
        for one in answer["suppressions"]
    ]
    text.table(_SUPPRESSED, rows, "no address is suppressed")


@app.command()
def lift(recipient: Annotated[str, typer.Argument(metavar="ADDRESS")], why: Why, as_json: AsJson = False) -> None:
    """Send to a suppressed address again. Mails that were suppressed meanwhile: retry them."""
    answer = _mailer(as_json).post("/suppressions/lift", recipient=recipient, why=why, by=_by())
    if as_json:
        text.as_json(answer)
    else:
        typer.echo(f"{text.plain(recipient)} is sent to again")


def _change(mail_ids: list[str], word: str, as_json: bool, **asked: str) -> None:
    """One after another; ends at the first that is refused."""
    client = _mailer(as_json)
    changed: list[JsonObject] = []
    try:
        for mail_id in map(_segment, mail_ids):
            changed.append(client.post(f"/{mail_id}/{word}", by=_by(), **asked))
    finally:
        _show(changed, as_json)


def _show(changed: list[JsonObject], as_json: bool) -> None:
    if as_json and changed:
        text.as_json({"mails": changed})
    elif changed:
        text.table(_COLUMNS, [_row(one) for one in changed], "")


def _mailer(as_json: bool) -> OperationsClient:
    return OperationsClient("mailer", as_json, below="/mails")


def _row(one: Any) -> tuple[object, ...]:
    what = (one["id"], one["state"], one["kind"], one["recipient"], one["attempts"], one["ambiguities"])
    return (*what, text.moment(one["createdAt"]), text.moment(one["dueAt"]), one["reason"])


def _segment(name: str, hint: str = "ID") -> str:
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(f"{name!r} has other characters than letters, digits, - and _", param_hint=hint)
    return name


def _by() -> str:
    """Who asks, as this machine knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "an operator"


def _write(client: OperationsClient, file: Path, content: str) -> None:
    try:
        file.write_text(content, encoding="utf-8")
    except OSError as error:
        client.fail(USAGE, f"{file} cannot be written ({error.strerror})")
