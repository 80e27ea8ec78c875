"""Regular expressions of clients, run by RE2 in linear time."""

from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]

from examples.monolith.http.errors import InternalFailure

KEPT = 128
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


def checked(pattern: str) -> str:
    """The pattern. Raises InternalFailure when it is not a valid regular expression."""
    try:
        _compiled(pattern)
    except re2.error as error:
        raise InternalFailure(f"{pattern!r} is not a regular expression") from error
    return pattern


def found_in(pattern: str, text: object) -> bool:
    """Whether the pattern occurs in the text; false for other types."""
    return isinstance(text, str) and _compiled(pattern).search(text) is not None


@lru_cache(KEPT)
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern, _OPTIONS)
