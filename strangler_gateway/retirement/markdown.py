"""The report for people, with the signed document at its end. Pure: the same document has the same text."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from strangler_gateway.retirement.document import ReportInvalid

_FENCE = "```"


def markdown(document: Mapping[str, Any]) -> str:
    """Of a signed document."""
    return "\n".join(_lines(document)) + "\n"


def document_in(text: str) -> object:
    """The document in a file: JSON, or Markdown whose text fits the document in it. Raises ReportInvalid."""
    if text.lstrip().startswith("{"):
        return _json(text)
    _, _, rest = text.rpartition(f"{_FENCE}json\n")
    document = _json(rest.partition(f"\n{_FENCE}")[0])
    if not isinstance(document, dict) or _rendered(document) != text.replace("\r\n", "\n"):
        raise ReportInvalid("the text does not say what the signed document at its end says: it was changed")
    return document


def _rendered(document: Mapping[str, Any]) -> str | None:
    try:
        return markdown(document)
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ReportInvalid(f"it is no signed report: no JSON in it ({exc})") from exc


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    report = document["report"]
    verdict = "proven" if report["proven"] else "not proven"
    yield f"# {_text(report['group'])} no longer needs the monolith: {verdict}"
    yield ""
    yield f"Made {report['made_at']} by {_text(report['gateway'])}, asked by {_text(report['asked_by'])}."
    silent, required = report["silent_s"], report["required_s"]
    yield f"No request of the group has reached the monolith since **{report['silent_since']}**."
    yield f"That is {silent} s; {required} s are required."
    yield from _list("Why it is not proven", report["missing"])
    yield from _list("What to know", report["remarks"])
    yield from _table("Routes", report["routes"], _ROUTE, map(_route, report["routes"]))
    yield from _counters(report)
    yield from _table(
        "Undeclared traffic on the same paths", report["undeclared"], _SHAPE, map(_shape, report["undeclared"])
    )
    yield from _table("Who decided", report["journal"], _MOVE, map(_move, reversed(report["journal"])))
    yield from ("", "## Signed document", "", "`strangler verify-report` checks it, and this text, offline.", "")
    yield from (
        f"{_FENCE}json",
        json.dumps(document, ensure_ascii=False, sort_keys=True).replace("`", "\\u0060"),
        _FENCE,
    )


Cells = Iterable[Sequence[object]]
_ROUTE = ("route", "methods and path", "service", "requests there", "requests to the monolith", "last one")
_SHAPE = ("requests", "shape", "routes")
_MOVE = ("time", "event", "from", "to", "who", "why", "forced")
_RUN = ("gateway", "process started", "stopped")


def _route(row: Mapping[str, Any]) -> Sequence[object]:
    where = f"{','.join(row['methods'] or ['*'])} {row['path']}"
    counts = row["requests_extracted"], row["requests_legacy"], row["last_legacy_at"] or "never"
    return row["id"], where, row["service"] or "-", *counts


def _shape(row: Mapping[str, Any]) -> Sequence[object]:
    return row["requests"], row["shape"], ", ".join(row["routes"])


def _move(row: Mapping[str, Any]) -> Sequence[object]:
    return (
        row["time"],
        row["event"],
        _place(row["before"]),
        _place(row["after"]),
        row["who"],
        row["why"],
        ", ".join(row["forced"]),
    )


def _place(place: Mapping[str, Any] | None) -> str:
    if place is None:
        return "-"
    return f"{place['state']} {place['share']:g} %" if "share" in place else str(place["state"])


def _counters(report: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", "## Counters", "", f"Without a gap since {report['counted_since']}.")
    rows = [
        (name, run["started"], run["stopped"] or "runs, or was killed")
        for name, runs in report["gateways"].items()
        for run in runs
    ]
    yield from _rows(_RUN, rows)


def _list(title: str, sentences: Sequence[str]) -> Iterator[str]:
    if sentences:
        yield from ("", f"## {title}", "", *(f"- {_text(one)}" for one in sentences))


def _table(
    title: str, found: Sequence[object], names: Sequence[str], rows: Iterable[Sequence[object]]
) -> Iterator[str]:
    yield from ("", f"## {title}")
    yield from _rows(names, rows) if found else ("", "None.")


def _rows(names: Sequence[str], rows: Cells) -> Iterator[str]:
    yield from ("", f"| {' | '.join(names)} |", f"|{'---|' * len(names)}")
    yield from (f"| {' | '.join(_text(str(cell)) for cell in row)} |" for row in rows)


def _text(text: str) -> str:
    """As Markdown shows it literally, on one line."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in line)
