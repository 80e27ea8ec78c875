"""Time and randomness, as arguments."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clocks:
    """`now`: monotonic seconds; `wall`: Unix seconds; `random_bytes`: so many, unpredictable."""

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
