"""Bodies of a recording: only bodies that can be parsed are kept, without their secrets."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

from strangler_gateway.recording.secrets import Pseudonyms, tells_secret

Json = Any


class LeftOut(Exception):
    """The exchange cannot be recorded safely; the message is the reason in the tally."""


def scrubbed(text: str, media_type: str, pseudonyms: Pseudonyms) -> str:
    """The body without secrets; byte for byte the same if it holds none. Raises LeftOut."""
    if not text:
        return text
    if media_type.endswith(("/json", "+json")):
        return _json(text, pseudonyms)
    if media_type == "application/x-www-form-urlencoded":
        return form(text, pseudonyms)
    return pseudonyms.page(text)


def is_text(media_type: str) -> bool:
    """Whether a body of this type is recorded; for other types only that there was one."""
    kind, _, sub = media_type.partition("/")
    return kind == "text" or sub in _TEXTS or sub.endswith(("+json", "+xml"))


_TEXTS = frozenset({"json", "xml", "x-www-form-urlencoded", "javascript", "graphql"})


def form(text: str, pseudonyms: Pseudonyms) -> str:
    """A form or a query. Raises LeftOut if it is neither."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=1000)
    except ValueError as exc:
        raise LeftOut("not_understood") from exc
    kept = [(pseudonyms.text(name), _value(name, value, pseudonyms)) for name, value in pairs]
    return text if kept == pairs else urlencode(kept)


def _value(name: str, value: str, pseudonyms: Pseudonyms) -> str:
    return pseudonyms.of(value) if tells_secret(name) else pseudonyms.text(value)


def _json(text: str, pseudonyms: Pseudonyms) -> str:
    try:
        document = json.loads(text, object_pairs_hook=_members)
        kept = _scrub(document, pseudonyms, False)
        return text if kept == document else json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError) as exc:
        raise LeftOut("not_understood") from exc


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member occurs twice")  # the first one would not be scrubbed
    return members


def _scrub(value: Json, pseudonyms: Pseudonyms, secret: bool) -> Json:
    """`secret`: the name of an outer member tells a secret. true, false and null are none."""
    if isinstance(value, dict):
        return {
            pseudonyms.text(name): _scrub(inner, pseudonyms, secret or tells_secret(name))
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_scrub(inner, pseudonyms, secret) for inner in value]
    if isinstance(value, str):
        return pseudonyms.of(value) if secret else pseudonyms.text(value)
    if secret and value is not None and not isinstance(value, bool):
        return 0
    return value
