"""The request of a publish route, read as strictly as what is kept for ever has to be. Pure."""

import json
import re
from collections.abc import Callable, Mapping
from typing import NoReturn

from chassis.messaging.envelope import MAX_BODY
from strangler_gateway.http.fields import Pairs
from strangler_gateway.table.rules.publish import BodyField

DEFAULT_MAX_BODY = 64 * 1024
"""Bytes, where the route has no `max_body`."""
_MAX_INTEGER = 2**53 - 1
"""RFC 8259 §6: beyond it readers of JSON differ."""
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_JSON = re.compile(rb"(?i)application/json[ \t]*(;[ \t]*charset=\"?utf-8\"?[ \t]*)?")
_KEY = re.compile(rb"[!#-+\--:<-\[\]-~]{1,255}")
"""Visible ASCII but `"`, `,`, `;` and the backslash."""
_QUOTED_KEY = re.compile(rb'"((?:[ !#-\[\]-~]|\\["\\])+)"')
"""A String of RFC 8941 §3.3.3, as draft-ietf-httpapi-idempotency-key-header writes it."""


class Unpublishable(Exception):
    """The request cannot become a message; with the status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def body_limit(max_body: int | None) -> int:
    """Bytes that a body may have."""
    return min(DEFAULT_MAX_BODY if max_body is None else max_body, MAX_BODY)


def check_form(fields: Pairs) -> None:
    """Raises Unpublishable (415) where the body does not say that it is plain JSON."""
    kinds = _values(fields, b"content-type")
    if len(kinds) != 1 or not _JSON.fullmatch(kinds[0].strip(b" \t")):
        raise Unpublishable(415, "Wanted a body of Content-Type: application/json.")
    if any(coding.strip(b" \t").lower() not in (b"", b"identity") for coding in _values(fields, b"content-encoding")):
        raise Unpublishable(415, "Wanted a body without a Content-Encoding.")


def key_of(fields: Pairs) -> str | None:
    """The Idempotency-Key, quoted or not the same; None where there is none. Raises Unpublishable."""
    values = _values(fields, b"idempotency-key")
    if not values:
        return None
    value = values[0].strip(b" \t")
    quoted = _QUOTED_KEY.fullmatch(value)
    if quoted:
        value = re.sub(rb"\\(.)", rb"\1", quoted[1])
    if len(values) > 1 or not (_KEY.fullmatch(value) or (quoted and len(value) <= 255)):
        raise Unpublishable(
            400, "Wanted one Idempotency-Key of 1 to 255 visible characters, such as a UUID, best in quotes."
        )
    return value.decode("ascii")


def read_body(data: bytes, wanted: tuple[BodyField, ...]) -> dict[str, object]:
    """The JSON object, with exactly the fields that are wanted. Raises Unpublishable."""
    try:
        body = json.loads(data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Unpublishable(400, "The body is not JSON in UTF-8.") from None
    if not isinstance(body, dict):
        raise Unpublishable(400, "Wanted a JSON object.")
    known = {field.name: field for field in wanted}
    if any(name not in known for name in body):
        raise Unpublishable(400, f"The body has an unknown field; known: {', '.join(known) or 'none'}.")
    for field in wanted:
        _check(field, body)
    return body


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Unpublishable(400, "A field occurs twice in the body.")
    return found


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _check(field: BodyField, body: Mapping[str, object]) -> None:
    if field.name not in body:
        if field.required:
            raise Unpublishable(400, f"The field {field.name} is missing.")
        return
    value = body[field.name]
    if not _KINDS[field.type](value):
        raise Unpublishable(400, f"The field {field.name} is not of the type {field.type}.")
    if field.format == "uuid" and not _UUID.fullmatch(str(value)):
        raise Unpublishable(400, f"The field {field.name} is not a UUID.")
    if isinstance(value, str | list) and len(value) > field.max_length:
        raise Unpublishable(400, f"The field {field.name} is longer than {field.max_length}.")


def _is_text(value: object) -> bool:
    """Half of a surrogate pair is no character (RFC 8259 §8.2)."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MAX_INTEGER


_KINDS: Mapping[str, Callable[[object], bool]] = {
    "string": _is_text,
    "integer": _is_integer,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}


def _values(fields: Pairs, name: bytes) -> list[bytes]:
    return [value for one, value in fields if one.lower() == name]
