"""Values that differ between runs: each recorded one is bound to the one received in its place. Pure."""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from strangler_gateway.recording.ids import id_key, named_id_key, names_id, segment_ids
from strangler_gateway.recording.secrets import PSEUDONYM

_KINDS = {
    "token": r"(?<![\w-])eyJ[\w-]{1,4096}\.[\w-]{1,16384}\.[\w-]{0,4096}",
    "uuid": r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "time": r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?",
    "date": r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT",
    "tag": r'(?:W/)?"[\w+/=-]{8,100}"',
    "object": r"(?<![0-9a-zA-Z])[0-9a-f]{24}(?![0-9a-zA-Z])",
    "pseudonym": PSEUDONYM.pattern,
}
VARYING = re.compile("|".join(f"(?:{pattern})" for pattern in _KINDS.values()))
_SAME_KIND = {name: re.compile(pattern) for name, pattern in _KINDS.items()}
_UNBOUND = frozenset({"time", "date"})
"""Any value of the kind is right, because time goes on."""
_SHARED = frozenset({"token", "pseudonym"})
"""Two recorded values may be one value now, such as two logins within a second."""
_RUN = re.compile(r"[^/?&=;,\s\"]+")
_TIME_NAME = re.compile(r"(?i).*(?:at|time|date|timestamp|iat|exp|nbf)$")
_EPOCH = 1_000_000_000


class ReplayValues:
    """`first_sent`: by value, the index of the first step whose request has it. `now`: the step that is sent.

    Numbers that are ids are remembered under their keys (`ids`). `resource`: what the step's path is about.
    """

    def __init__(self, first_sent: Mapping[str, int]) -> None:
        self.now = 0
        self.resource = ""
        self._first_sent = first_sent
        self._own: dict[str, str] = {}
        self._recorded: dict[str, str] = {}

    def bind(self, recorded: str, own: str) -> bool:
        """False if one of them is bound to something else already; of an entity tag the last binding counts."""
        if _kind(recorded) == "tag":
            self._own[recorded] = own
            return True
        if recorded in self._own:
            return self._own[recorded] == own
        if _kind(recorded) not in _SHARED and self._recorded.setdefault(own, recorded) != recorded:
            return False
        self._own[recorded] = own
        return True

    def bound(self, recorded: str) -> bool:
        """Whether this run has a value for it, or for the id that is remembered under it."""
        return recorded in self._own or recorded.rpartition(" ")[2] in self._own

    def own(self, text: str) -> str:
        """The text with the values of this run, as a whole or for those parts that have a known form."""
        if text in self._own:
            return self._own[text]
        return VARYING.sub(lambda found: self._own.get(found[0], found[0]), text)

    def target(self, target: str) -> str:
        """A path with its query; segments and values are looked up decoded."""
        path, mark, query = target.partition("?")
        spelled = "/".join(self._segment(*segment) for segment in segment_ids(path))
        pairs = (pair.partition("=") for pair in query.split("&"))
        return spelled + mark + "&".join(name + equals + self._query(name, value) for name, equals, value in pairs)

    def field(self, value: str) -> str:
        """The value of a field: credential, cookies, entity tags."""
        return _RUN.sub(lambda found: self.own(found[0]), self.own(value))

    def expected(self, recorded: str, received: str) -> str:
        """What has to be here now; learns new values from what was received."""
        if recorded == received or recorded in self._own:
            return self._own.get(recorded, recorded)
        own = _between(VARYING.split(recorded), received)
        if own is not None and own:
            values = iter([self._value(*pair) for pair in zip(VARYING.findall(recorded), own, strict=True)])
            return "".join(piece + next(values, "") for piece in VARYING.split(recorded))
        if self._first_sent.get(recorded, -1) > self.now and self.bind(recorded, received):
            return received
        return self.own(recorded)

    def expected_target(self, recorded: str, received: str) -> str:
        """The same for a Location: a segment of the path may be an id that is sent later."""
        ours, theirs = _RUN.findall(recorded), _RUN.findall(received)
        if len(ours) == len(theirs):
            before = ""
            for one, other in zip(ours, theirs, strict=True):
                if one.isdecimal() and other.isdecimal():
                    self._bind_id(id_key(one, before), one, other)
                elif one != other and self._first_sent.get(unquote(one), -1) > self.now:
                    self.bind(unquote(one), unquote(other))
                before = one
        return self.target(self.expected(recorded, received))

    def expected_number(self, name: str, recorded: int, received: int, inside: str = "") -> int:
        """The same for a number: only ids are bound, and any time is right."""
        if _TIME_NAME.match(name) and min(recorded, received) >= _EPOCH and len(str(recorded)) == len(str(received)):
            return received
        if names_id(name):
            self.expected_id(name, str(recorded), str(received), inside)
        return self.own_number(name, recorded, inside)

    def own_number(self, name: str, recorded: int, inside: str = "") -> int:
        """The number that this run has under that name; `inside`: the member around it."""
        own = self.own_id(name, str(recorded), inside) if names_id(name) else ""
        return int(own) if own.lstrip("-").isdecimal() else recorded

    def expected_id(self, name: str, recorded: str, received: str, inside: str = "") -> str:
        """The same for a number that is a text."""
        self._bind_id(named_id_key(recorded, name, inside, self.resource), recorded, received)
        return self.own_id(name, recorded, inside)

    def own_id(self, name: str, recorded: str, inside: str = "") -> str:
        """The id that this run has under that name."""
        return self._own_number(named_id_key(recorded, name, inside, self.resource), recorded)

    def _own_number(self, key: str, recorded: str) -> str:
        """By its key, or as --setup gives it."""
        return self._own.get(key) or self._own.get(recorded, recorded)

    def _bind_id(self, key: str, recorded: str, own: str) -> None:
        """One recorded id of a kind of thing is one id now, and no other's."""
        if key not in self._own and self._recorded.setdefault(key.removesuffix(recorded) + own, key) == key:
            self._own[key] = own

    def _value(self, recorded: str, own: str) -> str:
        kind = _kind(recorded)
        if kind != "pseudonym" and not _SAME_KIND[kind].fullmatch(own):
            return self.own(recorded)
        if kind in _UNBOUND or self.bind(recorded, own):
            return own
        return self.own(recorded)

    def _segment(self, segment: str, key: str) -> str:
        """A segment of a path, which may have parts (RFC 3986 §3.3)."""
        if key != segment:
            return self._own_number(key, segment)
        return _RUN.sub(lambda found: self._spelled(found[0]), segment)

    def _query(self, name: str, value: str) -> str:
        """A number is an id only by its name."""
        if not value.isdecimal():
            return self._spelled(value)
        return self.own_id(name, value) if names_id(name) else value

    def _spelled(self, run: str) -> str:
        decoded = unquote(run)
        own = self.own(decoded)
        return run if own == decoded else quote(own, safe="@:+~!$'()*,;")


def varying(text: str) -> set[str]:
    """Values in a text that differ between runs, without times."""
    return {found for found in VARYING.findall(text) if _kind(found) not in _UNBOUND}


def _kind(value: str) -> str:
    return next((name for name, pattern in _SAME_KIND.items() if pattern.fullmatch(value)), "other")


def _between(pieces: list[str], text: str) -> list[str] | None:
    """What is in a text between fixed pieces, of which the first and the last are its ends; None if they do not fit."""
    if not text.startswith(pieces[0]):
        return None
    at, found = len(pieces[0]), []
    for piece in pieces[1:-1]:
        end = text.find(piece, at + 1) if piece else -1
        if end < 0:
            return None
        found.append(text[at:end])
        at = end + len(piece)
    if len(pieces) > 1:
        end = len(text) - len(pieces[-1])
        if end < at or not text.endswith(pieces[-1]):
            return None
        found.append(text[at:end])
    return found if len(pieces) > 1 or at == len(text) else None
