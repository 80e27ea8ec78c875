"""The garbage collector of a process that serves clients (docs/decisions/speed.md).

A request leaves no cycle behind, so the collector finds next to nothing. It still looks through what is under way each
time that so many more objects were made than freed: with the interpreter's 700, several times in a turn of the loop.
"""

import gc
from typing import Final

OBJECTS: Final = 50_000
"""Made, and not freed, until it looks: more than an overload adds; 10 MiB of cycles at most, if a plugin leaves any."""


def settle() -> None:
    """What start-up made stays for good, and is not looked through again; from now on the collector looks seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS, 10, 10)
