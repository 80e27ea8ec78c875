"""A recording over all workers: each takes exchanges, the parent orders, bounds and writes them."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from strangler_gateway.recording.record import Recorder, Recording, RecordingRequest
from strangler_gateway.recording.tap import CapturedExchange
from strangler_gateway.workers.channel import Channel, Message

_TAKE_S: Final = 0.25
_BODIES = ("body", "answer", "caller")
_FIELDS = ("fields", "answer_fields")


class SharedRecorder(Recorder):
    """The parent's: `tell` passes on to all workers what they shall record, None: nothing any more."""

    def __init__(self, tell: Callable[[Mapping[str, Any] | None], None]) -> None:
        self._tell = tell
        self._recording: Recording | None = None

    @property
    def recording(self) -> Recording | None:
        """The recording under way."""
        return self._recording

    @recording.setter
    def recording(self, recording: Recording | None) -> None:
        self._recording = recording
        self._tell(None if recording is None else {"wanted": asdict(recording.wanted), "salt": recording.salt})

    def captured(self, message: Message) -> None:
        """A worker has taken an exchange."""
        if self._recording is not None:
            self._recording.put(unpacked_exchange(message))

    def left_out(self, reasons: Mapping[str, int]) -> None:
        """A worker has left out exchanges, by reason."""
        for reason, count in reasons.items():
            if self._recording is not None:
                self._recording.tally.leave_out(reason, int(count))


async def record(channel: Channel, recorder: Recorder, asked: Mapping[str, Any]) -> None:
    """A worker's part, until it is cancelled: a parent that does not read keeps it from taking more."""
    recording = recorder.recording = Recording(RecordingRequest(**asked["wanted"]), salt=asked["salt"])
    try:
        while True:
            captured = await recording.take(_TAKE_S)
            if captured is not None:
                channel.send("captured", **packed_exchange(captured))
            if recording.tally.left_out:
                channel.send("left_out", reasons=recording.tally.left_out)
                recording.tally.left_out = {}
            await channel.room()
    finally:
        recorder.recording = None


def packed_exchange(one: CapturedExchange) -> dict[str, object]:
    """It holds secrets: for the parent alone, which removes them."""
    said = {name: getattr(one, name) for name in ("route", "method", "target", "status", "origin")}
    said |= {name: base64.b64encode(getattr(one, name)).decode() for name in _BODIES}
    return said | {name: [[_text(name_), _text(value)] for name_, value in getattr(one, name)] for name in _FIELDS}


def unpacked_exchange(message: Message) -> CapturedExchange:
    """Raises LookupError, TypeError, ValueError."""
    bodies = {name: base64.b64decode(message[name]) for name in _BODIES}
    fields = {name: [(n.encode("latin-1"), v.encode("latin-1")) for n, v in message[name]] for name in _FIELDS}
    texts = {name: str(message[name]) for name in ("route", "method", "target", "origin")}
    return CapturedExchange(**texts, **bodies, **fields, status=int(message["status"]))  # type: ignore[arg-type]


def _text(value: bytes) -> str:
    return value.decode("latin-1")
