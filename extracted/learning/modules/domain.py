"""Modules as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Fields = Mapping[str, Any]
"""Fields of a module as a body names them, `modules` and `contents` by public ids. `data` has no meaning."""


@dataclass(frozen=True, slots=True)
class Author:
    """The user who wrote a module."""

    id: str
    username: str
    description: str | None
    points: int


@dataclass(frozen=True, slots=True)
class Module:
    """`modules` and `contents` as the request shows them: ids, object ids, or whole. `author` None: it is gone.

    `reward` in points. Fields may be null: the monolith's validator accepts that in a change.
    """

    id: str
    name: str | None
    description: str | None
    type: str | None
    reward: float | None
    tags: Sequence[str] | None
    modules: Sequence[Any]
    contents: Sequence[Any]
    author: Author | None
