"""Named places where a test makes a process die, fail or hang (FAILPOINTS=a=kill,b=hang:3); else they do nothing.

For fault tests of real processes: `reach("account.committed")` stands right after the thing that it names.
"""

import asyncio
import os
import signal
from functools import cache


class FailpointReached(Exception):
    """`name=raise` was asked for."""


@cache
def _armed() -> dict[str, tuple[str, float]]:
    points = {}
    for part in filter(None, os.environ.get("FAILPOINTS", "").split(",")):
        name, _, action = part.partition("=")
        verb, _, amount = action.partition(":")
        if verb not in ("kill", "raise", "hang"):
            raise ValueError(f"FAILPOINTS: {part!r}; wanted NAME=kill, NAME=raise or NAME=hang:SECONDS")
        points[name] = (verb, float(amount or 0))
    return points


async def reach(name: str) -> None:
    """Nothing, unless the name is armed: kill ends the process by SIGKILL."""
    if name not in _armed():
        return
    verb, amount = _armed()[name]
    if verb == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if verb == "raise":
        raise FailpointReached(name)
    await asyncio.sleep(amount)
