"""Numbers that are ids. A small one counts for its kind of thing alone: note 2 is not user 2. Pure."""

import re
from collections.abc import Iterator

_ID = re.compile(r"(?:^|.*_)(?:id|ID|uid|key)$|.*[a-z](?:Id|ID|Key)$|^(?:number|slug|uuid)$")
_STEM = re.compile(r"(.+?)_?(?:uid|id|ID|Id|key|Key)")
_SMALL_DIGITS = 3
"""Longer numbers are hardly ever the same by chance."""
_WRAPPERS = re.compile(r"(data|item|result|row|record|content|payload|entry|value)?")
"""Members around an answer that say nothing about what is in them."""
_USERS = frozenset({"login", "signin", "signup", "register", "registration", "session", "me", "account", "profile"})
"""Places of an API whose ids are those of users."""


def names_id(name: str) -> bool:
    """Whether a number under that name is an id: `id`, `note_id`, `noteId`."""
    return _ID.match(name) is not None


def id_key(number: str, place: str) -> str:
    """Under what an id is remembered; `place` says what it is the id of."""
    return number if len(number) > _SMALL_DIGITS else f"{_thing(place)} {number}"


def named_id_key(number: str, name: str, inside: str, resource: str) -> str:
    """The same for a field: `noteId` says what it is; `id` is that of the member around it, or of the resource."""
    stem = _STEM.fullmatch(name)
    if stem:
        return id_key(number, stem[1])
    return id_key(number, resource if _WRAPPERS.fullmatch(_thing(inside)) else inside)


def segment_ids(path: str) -> Iterator[tuple[str, str]]:
    """Each segment of a path, and under what it is remembered if it is a number (else it is the key itself)."""
    before = ""
    for segment in path.split("/"):
        if segment.isdecimal():
            yield segment, id_key(segment, before)
        else:
            before = segment
            yield segment, segment


def resource_of(target: str) -> str:
    """What a path is about: its last segment without a digit."""
    segments = target.partition("?")[0].split("/")
    return next((one for one in reversed(segments) if one and not any(map(str.isdecimal, one))), "")


def _thing(place: str) -> str:
    """`Notes`, `note` and `notes` are one thing."""
    word = re.sub(r"[^a-z0-9]", "", place.lower())
    word = word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s")
    return "user" if word in _USERS else word
