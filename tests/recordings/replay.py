"""Replays the recording of the real monolith against a base URL and reports what differs: the independent judge.

It shares nothing with `strangler replay` and is stricter: it compares every header, and every byte of a body but ids,
tokens and times, which must map one to one.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 30

_TOKEN = r"eyJ[\w-]+\.[\w-]+\.[\w-]+"
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
_ENTITY_TAG = r'W/"[0-9a-f]+-[\w+/]{27}"'
_OBJECT_ID = r"(?<![0-9a-f])[0-9a-f]{24}(?![0-9a-f])"
_VARYING = re.compile("|".join((_TOKEN, _UUID, _TIME, _ENTITY_TAG, _OBJECT_ID)))
_SHORTENED = re.compile(r"<(\d+) bytes> ")
_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")


@dataclass(frozen=True)
class Message:
    headers: tuple[tuple[str, str], ...]
    body: str
    status: int = 0

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True)
class Step:
    name: str
    method: str
    target: str
    request: Message
    response: Message
    flags: frozenset[str]


def load(path: Path) -> list[Step]:
    """The steps of a recording, in order, without the line about the run."""
    lines = map(json.loads, path.read_text().splitlines())
    return [_step(line) for line in lines if "meta" not in line]


def _step(line: Mapping[str, Any]) -> Step:
    sent, received = line["request"], line["response"]
    return Step(
        name=line["step"],
        method=line["method"],
        target=line["path"],
        request=Message(_pairs(sent["headers"]), _restored(sent["body"] or "")),
        response=Message(_pairs(received["headers"]), received["body"], received["status"]),
        flags=frozenset(line["flags"]),
    )


def _pairs(headers: Iterable[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in headers)


def _restored(body: str) -> str:
    """Restores a sign-up that the recording shortened, at its recorded size."""
    match = _SHORTENED.match(body)
    if match is None:
        return body
    head, tail = '{"username": "phhhrcgxz", "password": "', '", "email": "phhhrcgxz@example.org"}'
    return head + "x" * (int(match[1]) - len(head) - len(tail)) + tail


class Bindings:
    """Maps recorded values to own ones, one to one. Only a token may stand for two: of logins within one second."""

    def __init__(self) -> None:
        self._own: dict[str, str] = {}
        self._recorded: dict[str, str] = {}

    def bind(self, recorded: str, own: str) -> bool:
        """False when one of them is bound to another value already."""
        if _is_uuid(recorded):
            recorded, own = recorded.lower(), own.lower()
        if self._own.setdefault(recorded, own) != own:
            return False
        return re.fullmatch(_TOKEN, own) is not None or self._recorded.setdefault(own, recorded) == recorded

    def own(self, recorded: str) -> str:
        if _is_uuid(recorded) and recorded != recorded.lower():
            return self._own.get(recorded.lower(), recorded).upper()
        return self._own.get(recorded, recorded)


def _is_uuid(text: str) -> bool:
    return re.fullmatch(_UUID, text) is not None


@dataclass
class Replay:
    """One conversation with a server that started from a bare seed. `unheard`: headers not to compare, lower case."""

    base_url: str
    unheard: frozenset[str] = frozenset()
    bindings: Bindings = field(default_factory=Bindings)

    def __post_init__(self) -> None:
        address = urlsplit(self.base_url)
        assert address.hostname is not None
        self._connection = HTTPConnection(address.hostname, address.port, timeout=TIMEOUT_S)

    def close(self) -> None:
        self._connection.close()

    def play(self, step: Step) -> list[str]:
        """Sends the step and returns what differs, in words."""
        return self.differences(step, self.send(step))

    def send(self, step: Step) -> Message:
        """Sends the step's request with this run's values and returns the answer."""
        body = self._translated(step.request.body).encode()
        self._connection.putrequest(step.method, self._translated(step.target), skip_accept_encoding=True)
        for name, value in step.request.headers:
            self._connection.putheader(name, self._translated(value))
        if body:
            self._connection.putheader("Content-Length", str(len(body)))
        self._connection.endheaders(body or None)
        answer = self._connection.getresponse()
        return Message(tuple(answer.getheaders()), answer.read().decode(), answer.status)

    def differences(self, step: Step, received: Message) -> list[str]:
        if step.response.status != received.status:
            return [f"status {received.status}, recorded {step.response.status}; body {received.body[:200]}"]
        return self._body_differences(step, received) + self._header_differences(step, received)

    def _translated(self, text: str) -> str:
        return _VARYING.sub(lambda match: self.bindings.own(match[0]), text)

    def _body_differences(self, step: Step, received: Message) -> list[str]:
        if "text" in step.flags:
            return [] if bool(received.body) == bool(step.response.body) else ["body is missing"]
        return self.text_differences("body", _settled(step, step.response.body), _settled(step, received.body))

    def _header_differences(self, step: Step, received: Message) -> list[str]:
        recorded, own = _by_name(step.response.headers), _by_name(received.headers)
        found = [f"header {name} is {own.get(name)}" for name in sorted((recorded.keys() ^ own.keys()) - self.unheard)]
        for name in (recorded.keys() & own.keys()) - self.unheard:
            found += self._value_differences(step, name, recorded[name], own[name])
        return found

    def _value_differences(self, step: Step, name: str, recorded: str, own: str) -> list[str]:
        if name == "date":
            return [] if _DATE.fullmatch(own) else [f"date is {own}"]
        if name in ("content-length", "etag") and step.flags & {"text", "mongo-race"}:
            return []
        if name == "etag" and step.response.body and not _VARYING.search(step.response.body):
            return [] if own == recorded else [f"etag is {own}, recorded {recorded}"]  # of a body that never varies
        return self.text_differences(name, recorded, own)

    def text_differences(self, where: str, recorded: str, own: str) -> list[str]:
        """Text between varying values must be equal; the values are bound to one another."""
        if _VARYING.split(recorded) != _VARYING.split(own):
            return [f"{where} is {own[:300]}, recorded {recorded[:300]}"]
        pairs = zip(_VARYING.findall(recorded), _VARYING.findall(own), strict=True)
        return [f"{where}: {new} for {old}" for old, new in pairs if not self._bound(old, new)]

    def _bound(self, recorded: str, own: str) -> bool:
        is_time = re.fullmatch(_TIME, recorded)
        return re.fullmatch(_TIME, own) is not None if is_time else self.bindings.bind(recorded, own)


def _settled(step: Step, body: str) -> str:
    """The body without what varies in the monolith itself: the order of e-mails, MongoDB's fields in nested nodes."""
    if not step.flags & {"emails", "mongo-race"}:
        return body
    hidden = ("_id", "__v") if "mongo-race" in step.flags else ()
    answer = json.loads(
        body, object_pairs_hook=lambda pairs: {name: value for name, value in pairs if name not in hidden}
    )
    if "emails" in step.flags:
        answer["data"].sort(key=lambda email: email["email"])
    return json.dumps(answer, separators=(",", ":"), ensure_ascii=False)


def _by_name(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    merged: dict[str, list[str]] = {}
    for name, value in headers:
        merged.setdefault(name.lower(), []).append(value)
    return {name: ", ".join(values) for name, values in merged.items()}
