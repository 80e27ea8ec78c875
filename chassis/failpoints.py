"""Named places where a fault test makes a real process die, fail or hang. Without a test they do nothing.

FAILPOINTS=a=kill,b=hang:3 arms them. So does the content of the file FAILPOINTS_FILE, from the moment it is written;
a hang ends early when its name is removed from the file. `reach("account.committed")` stands right after the step
that it names.
"""

import asyncio
import os
import signal
from functools import cache
from pathlib import Path

POLL_S = 0.02


class FailpointReached(Exception):
    """The test has armed this point with `name=raise`."""


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
    """Does nothing unless the name is armed. `kill` ends the process with SIGKILL."""
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
    while name in _armed() and now() < ends:  # noqa: ASYNC110 - a file ends the wait
        await asyncio.sleep(min(POLL_S, seconds))
