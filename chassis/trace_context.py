"""Reads the header field `traceparent` (W3C Trace Context Level 1, §3.2), to pass it on."""

import re
from collections.abc import Sequence
from typing import Final

_TRACEPARENT: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent(values: Sequence[bytes]) -> str | None:
    """The value to pass on. `values`: those of all fields of that name. None: not exactly one, or not valid."""
    given = [value.strip(b" \t") for value in values]
    return given[0].decode("ascii") if len(given) == 1 and _TRACEPARENT.fullmatch(given[0]) else None
