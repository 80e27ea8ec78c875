"""Named places where a test makes a process die, fail or hang (FAILPOINTS=a=kill,b=hang:3); else they do nothing.

For fault tests of real processes: `reach("account.committed")` stands right after the thing that it names. What the
file FAILPOINTS_FILE holds is armed beside, from the moment at which it is written; a hang ends early when it is armed
no more.
"""

import asyncio
import os
import signal
from functools import cache
from pathlib import Path

POLL_S = 0.02


class FailpointReached(Exception):
    """`name=raise` was asked for."""


@cache
def _file() -> Path | None:
    path = os.environ.get("FAILPOINTS_FILE")
    return Path(path) if path else None


def _armed() -> dict[str, tuple[str, float]]:
    file, armed = _file(), _parsed(os.environ.get("FAILPOINTS", ""))
    return armed | _parsed(file.read_text().strip()) if file is not None and file.exists() else armed


@cache
def _parsed(text: str) -> dict[str, tuple[str, float]]:
    points = {}
    for part in filter(None, text.split(",")):
        name, _, action = part.partition("=")
        verb, _, amount = action.partition(":")
        if verb not in ("kill", "raise", "hang"):
            raise ValueError(f"FAILPOINTS: {part!r}; wanted NAME=kill, NAME=raise or NAME=hang:SECONDS")
        points[name] = (verb, float(amount or 0))
    return points


async def reach(name: str) -> None:
    """Nothing, unless the name is armed: kill ends the process by SIGKILL."""
    armed = _armed()
    if name not in armed:
        return
    verb, amount = armed[name]
    if verb == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if verb == "raise":
        raise FailpointReached(name)
    await _hang(name, amount)


async def _hang(name: str, seconds: float) -> None:
    now = asyncio.get_running_loop().time
    ends = now() + seconds
    while name in _armed() and now() < ends:  # noqa: ASYNC110 - a file says when
        await asyncio.sleep(min(POLL_S, seconds))
