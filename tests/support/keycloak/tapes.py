"""Tapes of a server's answers (vcrpy): recorded from the real one, played to unit tests, compared with it again.

What differs from one recording to the next gets a fixed name on the tape: addresses, secrets, tokens and ids. A player
that starts from the fixed names sends the same requests again, and is matched by method, address and body.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import vcr  # type: ignore[import-untyped]  # vcrpy has no types
import yaml

_MATCH_ON = ("method", "scheme", "host", "port", "path", "query", "body")
_NUMBERED = {
    "token-{}": re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+"),
    "00000000-0000-4000-8000-{:012d}": re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
}
"""Named by their order of appearance, everywhere the same."""
_FOREIGN_SECRET = re.compile(r'("secret":")(?!secret-of-)[^"]+')
_HEADERS = frozenset({"content-type", "location"})


@contextmanager
def played(tape: Path) -> Iterator[None]:
    """Answers from the tape alone, each once; at the end, all of them must have been asked for."""
    with vcr.use_cassette(str(tape), record_mode="none", match_on=_MATCH_ON) as cassette:
        yield
        assert cassette.all_played, f"{tape.name} has answers that nobody asked for; record it again: make tapes"


@contextmanager
def recorded(tape: Path, names: Mapping[str, str]) -> Iterator[None]:
    """Records into a new tape. `names`: texts that must not stand on it, and what stands there instead."""
    tape.unlink(missing_ok=True)
    with vcr.use_cassette(str(tape), record_mode="all", decode_compressed_response=True):
        yield
    content = yaml.safe_load(tape.read_text())
    for interaction in content["interactions"]:
        interaction["request"]["headers"] = {}
        headers = interaction["response"]["headers"]
        interaction["response"]["headers"] = {name: headers[name] for name in headers if name.lower() in _HEADERS}
    text = yaml.safe_dump(content, width=float("inf"), allow_unicode=True)
    tape.write_text(_named(text, names))


def shape(tape: Path) -> Sequence[object]:
    """What must not drift: requests, statuses, and the names and types in the answers."""
    talk = yaml.safe_load(tape.read_text())["interactions"]
    return [
        (
            one["request"]["method"],
            _place(one["request"]["uri"]),
            one["response"]["status"]["code"],
            _answer(one["response"]),
        )
        for one in talk
    ]


def _place(uri: str) -> str:
    """Ids are numbered in an order that may differ."""
    return re.sub(r"00000000-[\d-]+", "ID", uri)


def _named(text: str, names: Mapping[str, str]) -> str:
    for found, name in names.items():
        text = text.replace(found, name)
    for pattern, expression in _NUMBERED.items():
        order = {found: pattern.format(number) for number, found in enumerate(dict.fromkeys(expression.findall(text)))}
        text = expression.sub(lambda match, order=order: order[match[0]], text)  # type: ignore[misc]
    return _FOREIGN_SECRET.sub(r"\1another", text)


def _answer(response: Mapping[str, Any]) -> object:
    body = response["body"]["string"]
    try:
        return _types(json.loads(body))
    except ValueError:
        return "text" if body else ""


def _types(value: object) -> object:
    if isinstance(value, dict):
        return {name: _types(inner) for name, inner in sorted(value.items())}
    if isinstance(value, list):
        return sorted({json.dumps(_types(inner)) for inner in value})
    return type(value).__name__
