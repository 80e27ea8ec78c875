"""The commands `retire-report` and `verify-report`: the proof that a group no longer needs the monolith."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from chassis.error_reason import reason
from strangler_gateway.cli.client import DONE, REFUSED, USAGE, AdminClient, fail, who
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson, MovableName
from strangler_gateway.cli.output import plain
from strangler_gateway.migration.saved import whole_file
from strangler_gateway.retirement.document import MAX_FILE, ReportInvalid
from strangler_gateway.retirement.markdown import document_in, markdown
from strangler_gateway.retirement.signature import verified


def retire_report(
    unit: MovableName,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Write PATH.json and PATH.md.  [default: retire-GROUP]", show_default=False),
    ] = None,
    admin: Admin = DEFAULT_ADMIN,
    as_json: AsJson = False,
) -> None:
    """Write down, signed, what shows that the monolith gets no request of a group any more.

    Since when, by which counters, over which restarts; undeclared traffic on the same paths; who decided each move.
    A group needs it to be retired. Exit code 1: it is no proof yet; the document says why. With --json the signed
    document is printed, and no file is written without --out.
    """
    client = AdminClient(admin, as_json)
    document = client.get("retire-report", unit=unit, who=who())
    report = document["report"]
    if out is not None or not as_json:
        base = out or Path(f"retire-{report['group']}")
        for path, text in _files(base, document):
            _write(path, text, as_json)
    if as_json:
        print(json.dumps(document, ensure_ascii=False))
    else:
        _show(report)
        print(plain(f"written: {base.name}.json, {base.name}.md"))
    raise typer.Exit(DONE if report["proven"] else REFUSED)


def verify_report(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The report, as Markdown or JSON.")],
    keys: Annotated[
        Path,
        typer.Option(metavar="FILE", help="The gateway's public keys: what its /.well-known/jwks.json answered."),
    ],
    as_json: AsJson = False,
) -> None:
    """Check a retire report without a gateway.

    Who signed it, that nothing was changed since, and that the text says what the signed document says. Exit code 0:
    genuine and a proof; 1: changed, signed by somebody else, or no proof.
    """
    text, known = _read(file, as_json), _keys(keys, as_json)
    try:
        report = verified(document_in(text), known)
    except ReportInvalid as exc:
        fail(REFUSED, "report", f"{file.name}: {exc}", as_json)
    if as_json:
        print(json.dumps({"genuine": True, "proven": report["proven"], "report": report}, ensure_ascii=False))
    else:
        print(plain(f"genuine: signed by {report['gateway']} on {report['made_at']}, unchanged"))
        _show(report)
    raise typer.Exit(DONE if report["proven"] else REFUSED)


def _show(report: dict[str, Any]) -> None:
    verdict = "proven" if report["proven"] else "not proven"
    print(plain(f"{report['group']} no longer needs the monolith: {verdict}"))
    print(plain(f"no request of it has reached the monolith since {report['silent_since']}"))
    for sentence in report["missing"]:
        print(plain(f"missing: {sentence}"))
    for sentence in report["remarks"]:
        print(plain(f"note: {sentence}"))


def _files(base: Path, document: Any) -> list[tuple[Path, str]]:
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    return [(base.with_name(f"{base.name}.json"), text), (base.with_name(f"{base.name}.md"), markdown(document))]


def _write(path: Path, text: str, as_json: bool) -> None:
    try:
        whole_file.replace(path, text.encode(errors="replace"), 0o644)
    except OSError as exc:
        fail(USAGE, "file", f"{path} cannot be written: {reason(exc)}", as_json)


def _read(path: Path, as_json: bool) -> str:
    try:
        return whole_file.read(path, MAX_FILE).decode()
    except (OSError, ValueError) as exc:
        fail(USAGE, "file", f"{path} cannot be read: {reason(exc)}", as_json)


def _keys(path: Path, as_json: bool) -> KeySet:
    try:
        return KeySet.import_key_set(json.loads(_read(path, as_json)))
    except (JoseError, ValueError, TypeError, LookupError, AttributeError):
        fail(USAGE, "keys", f"{path.name} holds no public keys: wanted the answer of /.well-known/jwks.json", as_json)
