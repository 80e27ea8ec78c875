"""Faults that a mail server can have, as values: which verb, what it does instead, how often, for whom."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

GREETING, STARTTLS, EHLO, AUTH = "greeting", "STARTTLS", "EHLO", "AUTH"
MAIL, RCPT, DATA, DOT, QUIT, RSET = "MAIL", "RCPT", "DATA", ".", "QUIT", "RSET"

Do = Literal["reply", "drop", "hang", "slow"]


@dataclass(frozen=True)
class Fault:
    """At `verb` (`.`: the whole message): `reply` CODE TEXT (lines by \\n), `drop`, `hang` for S seconds and go on, or
    `slow`: read a piece each S seconds.

    `takes`: whether a message is kept though the answer fails (None: where no 4xx or 5xx is said). `drops`: closes
    after its reply, or after the usual one. `times`: how often in all. `only`: for envelopes that contain it.
    """

    verb: str
    do: Do = "reply"
    code: int = 250
    text: str = "as you wish"
    seconds: float = 3600.0
    takes: bool | None = None
    drops: bool = False
    times: int | None = None
    only: str = ""

    @property
    def keeps(self) -> bool:
        """The message counts as delivered."""
        return self.takes if self.takes is not None else not (self.do == "reply" and self.code >= 400)


@dataclass(frozen=True)
class Moment:
    """Where a session is: `envelope` is sender and recipients so far."""

    verb: str
    envelope: str


Script = Callable[[Moment], Fault | None]


class Faults:
    """A list, each as often as it says; the first that fits."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._faults = tuple(faults)
        self._left = [fault.times for fault in faults]

    def __call__(self, moment: Moment) -> Fault | None:
        for number, fault in enumerate(self._faults):
            left = self._left[number]
            if fault.verb == moment.verb and fault.only in moment.envelope and left != 0:
                self._left[number] = None if left is None else left - 1
                return fault
        return None


class FaultsFile:
    """A list in a JSON file, read again when it changes: how faults of a sink in another process are changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._faults = Faults()

    def __call__(self, moment: Moment) -> Fault | None:
        seen = self._stamp()
        if seen != self._seen:
            self._seen = seen
            self._faults = Faults([Fault(**values) for values in json.loads(self._path.read_text())] if seen else [])
        return self._faults(moment)

    def _stamp(self) -> tuple[int, int] | None:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return None
        return stat.st_ino, stat.st_mtime_ns


def write_faults(path: Path, faults: Sequence[Fault]) -> None:
    """For a FaultsFile elsewhere: whole or not at all."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps([asdict(fault) for fault in faults]))
    new.replace(path)
