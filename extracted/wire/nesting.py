"""Lists and objects under construction while a query is read, by the rules of the `qs` package."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

Value: TypeAlias = str | bool | list["Value"] | dict[str, "Value"]
Draft: TypeAlias = "str | bool | ListDraft | ObjectDraft"
_T = TypeVar("_T")

PROTOTYPE = "__proto__"
"""The one name that is never stored."""
_INTEGER = re.compile(r"0|[1-9][0-9]{0,9}")
_INDICES = 2**32 - 1


class ObjectDraft(dict[str, Draft]):
    """An object under construction."""


class ListDraft(dict[int, Draft]):
    """A list under construction, by index, with gaps."""

    def append(self, draft: Draft) -> "ListDraft":
        """Adds it after the last index."""
        self[max(self, default=-1) + 1] = draft
        return self


def put(query: ObjectDraft, segments: Sequence[str], texts: Sequence[str], largest_index: int) -> None:
    """Adds one parameter such as `a[b][]=text`. Several texts become a list."""
    draft: Draft = texts[0] if len(texts) == 1 else ListDraft(enumerate(texts))
    for segment in reversed(segments):
        draft = _inside(segment, draft, largest_index)
    if isinstance(draft, ListDraft | ObjectDraft):
        _merge_members(query, _keyed(draft))


def ordered(members: Mapping[str, _T]) -> Iterable[tuple[str, _T]]:
    """The order of JavaScript: integers first, ascending (OrdinaryOwnPropertyKeys, ECMA-262 §10.1.11.1)."""
    integers = {key: int(key) for key in members if _INTEGER.fullmatch(key) and int(key) < _INDICES}
    return sorted(members.items(), key=lambda member: integers.get(member[0], _INDICES))


def members(draft: ObjectDraft) -> dict[str, Value]:
    """The finished value, without gaps."""
    return {key: _value(item) for key, item in ordered(draft)}


def _inside(segment: str, draft: Draft, largest_index: int) -> Draft:
    if segment == "[]":
        return draft if isinstance(draft, ListDraft) else ListDraft({0: draft})
    name = segment[1:-1] if segment[0] + segment[-1] == "[]" else segment
    if name != segment and _INTEGER.fullmatch(name) and int(name) <= largest_index:
        return ListDraft({int(name): draft})
    return ObjectDraft() if name == PROTOTYPE else ObjectDraft({name: draft})


def _merged(target: Draft, source: Draft) -> Draft:
    """Merges source into target, which may change. An empty text adds nothing."""
    match target, source:
        case _, "":
            return target
        case ListDraft(), str():
            return target.append(source)
        case ObjectDraft(), str():
            return target if source == PROTOTYPE else ObjectDraft(target | {source: True})
        case ListDraft(), ListDraft():
            return _merged_items(target, source)
        case (ListDraft() | ObjectDraft(), ListDraft() | ObjectDraft()):
            return _merge_members(_keyed(target), _keyed(source))
        case _, ListDraft():
            return ListDraft({0: target} | {index + 1: item for index, item in source.items()})
        case _:
            return ListDraft({0: target, 1: source})


def _merged_items(target: ListDraft, source: ListDraft) -> ListDraft:
    """An item with an index in use goes to the end; two objects are merged."""
    for index in sorted(source):
        there, item = target.get(index), source[index]
        if there is None:
            target[index] = item
        elif isinstance(there, str | bool) or isinstance(item, str | bool):
            target.append(item)
        else:
            target[index] = _merged(there, item)
    return target


def _merge_members(target: ObjectDraft, source: ObjectDraft) -> ObjectDraft:
    for key, item in source.items():
        target[key] = _merged(target[key], item) if key in target else item
    return target


def _keyed(draft: ListDraft | ObjectDraft) -> ObjectDraft:
    return (
        draft if isinstance(draft, ObjectDraft) else ObjectDraft({str(index): draft[index] for index in sorted(draft)})
    )


def _value(draft: Draft) -> Value:
    match draft:
        case ObjectDraft():
            return members(draft)
        case ListDraft():
            return [_value(draft[index]) for index in sorted(draft)]
        case _:
            return draft
