"""W3C Trace Context (Level 1, §3.2): the field `traceparent`, as far as it is passed on."""

import re
from collections.abc import Sequence
from typing import Final

_TRACEPARENT: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent(values: Sequence[bytes]) -> str | None:
    """Of a request's fields of that name, by their values; None: there is not exactly one, or it is not valid."""
    given = [value.strip(b" \t") for value in values]
    return given[0].decode("ascii") if len(given) == 1 and _TRACEPARENT.fullmatch(given[0]) else None
