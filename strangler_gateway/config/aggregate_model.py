"""The fields of `aggregate:` in routes.yaml, with their defaults."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue, WithJsonSchema, model_validator

from strangler_gateway.config import field_types as t
from strangler_gateway.config.strict_model import StrictModel
from strangler_gateway.table.json_path import parse_pointer
from strangler_gateway.table.rules.aggregate import RESERVED, Reference, parse_references
from strangler_gateway.table.template import quoted

MAX_REQUESTS = 64
"""That one request may become."""
MAX_EACH = 20
_CALL_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*(?:\?[!-\"$-~]*)?")


def _call_path(value: str) -> str:
    plain = "".join("x" if isinstance(piece, Reference) else piece for piece in parse_references(value))
    if not _CALL_PATH.fullmatch(plain):
        raise ValueError(
            f"{quoted(value)} is not a path: write / first, then segments such as {{id}} or {{call:/pointer}}, "
            "a query if need be, and percent-encode the rest"
        )
    return value


def _pointer(value: str) -> str:
    parse_pointer(value)
    return value


def _list(value: str) -> str:
    name, colon, pointer = value.partition(":")
    if not colon or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or re.search("[{}]", value):
        raise ValueError(f"{quoted(value)} names no list; write call:/pointer, such as items:/data")
    parse_pointer(pointer)
    return value


CallPath = Annotated[str, AfterValidator(_call_path)]
JsonPointer = Annotated[str, AfterValidator(_pointer)]
ListPlace = Annotated[str, AfterValidator(_list)]
AnyJson = Annotated[JsonValue, WithJsonSchema({})]
ShortWait = Annotated[t.Patience, Field(gt=0)]


DEFAULT_ANSWER: JsonValue = {"values": "{values}", "marks": "{marks}"}


class CallEntry(StrictModel):
    """One call of an aggregate: a GET, and what of its answer is used."""

    path: CallPath
    after: list[t.JsonName] = Field(default=[])
    each: ListPlace | None = None
    at_most: Annotated[int, Field(ge=1, le=MAX_EACH)] = MAX_EACH
    pointer: JsonPointer = ""
    required: bool = False
    fallback: AnyJson = None
    timeout_s: ShortWait = 5.0
    max_body: t.ByteSize = 256 * 1024

    @property
    def most(self) -> int:
        """Requests that it can become."""
        return self.at_most if self.each else 1


class AggregateEntry(StrictModel):
    """The new end of a route that answers with several calls, and how their answers become one."""

    calls: dict[t.JsonName, CallEntry] = Field(min_length=1)
    answer: AnyJson = DEFAULT_ANSWER
    deadline_s: ShortWait = 10.0
    max_body: t.ByteSize = 1 << 20
    headers: dict[t.Token, t.HeaderValue] = Field(default={})

    @model_validator(mode="after")
    def _names(self) -> "AggregateEntry":
        if taken := [name for name in self.calls if name in RESERVED]:
            raise ValueError(f"no call can be called {taken[0]}: the name means something else in references")
        most = sum(call.most for call in self.calls.values())
        if most > MAX_REQUESTS:
            raise ValueError(f"one request can become {most} requests; at most {MAX_REQUESTS} are taken")
        return self
