"""Streams a recording's lines as one answer of the admin API; it ends with the caller's connection."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from strangler_gateway.migration.journal.journal_entry import iso
from strangler_gateway.recording.body import LeftOut
from strangler_gateway.recording.record import Recorder, Recording, Tally
from strangler_gateway.recording.scrub import Scrubber
from strangler_gateway.recording.step import RecordedStep
from strangler_gateway.recording.tap import CapturedExchange

HEARTBEAT_S = 1.0
INLINE_BYTES = 16 * 1024
"""Longer exchanges are scrubbed in a thread, so that they do not block the loop."""
MEDIA_TYPE = "application/x-ndjson"
log = logging.getLogger(__name__)


class RecordingStream(StreamingResponse):
    """A first line about the recording, then steps and counts, and a last line with the counts."""

    def __init__(self, recorder: Recorder, recording: Recording, about: dict[str, Any], who: str) -> None:
        super().__init__(_lines(recording, about), media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})
        self._recorder, self._who = recorder, who
        self._recording = recorder.recording = recording

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """When it ends, in whatever way, the recording ends."""
        log.info("recording for %g s begins, asked for by %s", self._recording.wanted.for_s, self._who)
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._recorder.recording = None
            log.info("recording ended: %d exchanges were taken", self._recording.tally.taken)


def about(digest: str, route: str | None, wall: Callable[[], float] = time.time) -> dict[str, Any]:
    """The first line of a recording."""
    what = "answers of the legacy side, in the order in which they ended, without secrets"
    return {"what": what, "by": "strangler record", "routes": digest, "route": route, "date": iso(wall())}


async def _lines(recording: Recording, about: dict[str, Any]) -> AsyncIterator[bytes]:
    scrubber, told = Scrubber(), time.monotonic()
    yield _line({"meta": about})
    while not recording.over or recording.waiting:
        captured = await recording.take(min(HEARTBEAT_S, recording.left_s))
        if captured is not None and (step := await _step(scrubber, captured, recording.tally)):
            yield _line(step.line())
        if time.monotonic() - told >= HEARTBEAT_S:
            told = time.monotonic()
            yield _line({"progress": _counts(recording)})
    yield _line({"end": _counts(recording)})


async def _step(scrubber: Scrubber, captured: CapturedExchange, tally: Tally) -> RecordedStep | None:
    try:
        if len(captured.body) + len(captured.answer) <= INLINE_BYTES:
            return scrubber.step(captured)
        return await asyncio.to_thread(scrubber.step, captured)
    except LeftOut as exc:
        tally.taken -= 1
        tally.leave_out(str(exc))
    except Exception:
        # Not the cause: its text may hold a secret.
        tally.taken -= 1
        tally.leave_out("failed")
        log.error("an exchange of route %s is left out: its secrets could not be removed", captured.route)
    return None


def _counts(recording: Recording) -> dict[str, Any]:
    tally = recording.tally
    return {"taken": tally.taken, "left_out": tally.left_out, "left_s": round(recording.left_s, 1)}


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"
