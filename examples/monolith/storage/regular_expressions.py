"""Clients' regular expressions, in RE2's linear time: none of them can explode."""

from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

from examples.monolith.http.refusals import InternalFailure

KEPT = 128
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


def checked(pattern: str) -> str:
    """The pattern. Raises InternalFailure when it is none to MongoDB."""
    try:
        _compiled(pattern)
    except re2.error as error:
        raise InternalFailure(f"no regular expression: {pattern!r}") from error
    return pattern


def found_in(pattern: str, text: object) -> bool:
    """Whether the pattern is found in the text; in what is no text nothing is."""
    return isinstance(text, str) and _compiled(pattern).search(text) is not None


@lru_cache(KEPT)
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern, _OPTIONS)
