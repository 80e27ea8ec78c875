"""Types of single fields of routes.yaml, each with the sentence that refuses what it is not."""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from chassis.discovery.target import parse_target
from strangler_gateway.config import addresses
from strangler_gateway.table import json_path
from strangler_gateway.table.rules.rate import parse_rate
from strangler_gateway.table.template import parse, quoted

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_SIZE = re.compile(r"([0-9]{1,15}) ?(B|KiB|MiB|GiB|kB|MB|GB)")
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_PATH = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
_REFERENCE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(?:\.\.\.)?\}")
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_PERCENTAGE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,4})?) ?%")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_ANSWERS = frozenset({200, 201, 202, 203, 204, 303, *range(400, 600)})


def _spelled(pattern: str, sentence: str) -> AfterValidator:
    """A text that matches the pattern; the sentence refuses any other ({seen}: the text itself)."""
    wanted = re.compile(pattern)

    def check(value: str) -> str:
        if wanted.fullmatch(value):
            return value
        raise ValueError(sentence.replace("{seen}", quoted(value)))

    return AfterValidator(check)


def _protocol(value: str) -> str:
    """A protocol that a connection may be switched to (RFC 9110 §7.8), in lower case."""
    name = value.lower()
    if not re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9a-z]+(/[!#$%&'*+\-.^_`|~0-9a-z]+)?", name):
        raise ValueError("wanted the name of a protocol as in an Upgrade field, such as websocket or tcp")
    if name.partition("/")[0] in ("http", "h2c", "tls"):
        raise ValueError("requests inside it would pass the gateway unseen; wanted another protocol, such as websocket")
    return name


def _checked(read: Callable[[str], object]) -> AfterValidator:
    """A text that `read` accepts (it raises ValueError), as it is written."""

    def check(value: str) -> str:
        read(value)
        return value

    return AfterValidator(check)


def _token(value: str) -> str:
    if _TOKEN.fullmatch(value):
        return value
    raise ValueError("is not a token of RFC 9110; write a name such as X-User")


def _method(value: str) -> str:
    if value != _token(value).upper():
        raise ValueError(f"methods are case-sensitive; write {value.upper()}")
    if value == "CONNECT":
        raise ValueError("the gateway does not support CONNECT; remove it")
    return value


def _rewrite(value: str) -> str:
    if not _PATH.fullmatch(_REFERENCE.sub("x", value)):
        raise ValueError(f"{quoted(value)} is not a path: write / first, variables as {{id}}, percent-encode the rest")
    return value


def _location(value: str) -> str:
    if "...}" in value:
        raise ValueError(
            f"{quoted(value)} names the rest of a path, but a path without {{rest...}} has none; write {{name}}"
        )
    return _rewrite(value)


def references(template: str) -> set[str]:
    """The variables that a rewrite template names."""
    return set(_REFERENCE.findall(template))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"wanted a number, seen {_kind(value)}")
    return value


def _percent(value: object) -> float:
    number = _number(value)
    if not 0 <= number <= 100:
        raise ValueError("a share is a percentage from 0 to 100")
    if abs(number * 100 - round(number * 100)) > 1e-9:
        raise ValueError("a share moves in steps of 0.01; write two decimals at most")
    return number


def _margin(value: object) -> float:
    number = _number(value)
    if not 0 < number < 100:
        raise ValueError("wanted a percentage, more than 0 and less than 100")
    return number


def _seconds(value: object) -> float:
    number = _number(value)
    if not 0 < number <= 86400:
        raise ValueError("wanted seconds, more than 0 and at most 86400")
    return number


def _seconds_or_none(value: object) -> float:
    return 0.0 if _number(value) == 0 else _seconds(value)


def _switch(value: object) -> bool:
    """A variable in quotes is a text."""
    found = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
    if isinstance(found, bool):
        return found
    raise ValueError(f"wanted true or false, seen {quoted(value) if isinstance(value, str) else _kind(value)}")


def _on_off(value: object) -> bool:
    if value in ("on", "off") or isinstance(value, bool):
        return value in ("on", True)
    raise ValueError(f'wanted "on" or "off" in quotes, or true or false, seen {_kind(value)}')


def _ratio(value: object) -> float:
    if not 1 < _number(value) <= 10:
        raise ValueError("wanted how much slower the new side may be: more than 1 and at most 10, such as 1.2")
    return _number(value)


def _skew(value: object) -> float:
    if not 0 <= _number(value) <= 300:
        raise ValueError("wanted seconds from 0 to 300: a token must not outlive its end by more than clocks differ")
    return _number(value)


def _patience(value: object) -> float:
    if _number(value) > 60:
        raise ValueError("expected at most 60 seconds, because the client is waiting")
    return _seconds_or_none(value)


def _size(value: object) -> int:
    if isinstance(value, str) and (found := _SIZE.fullmatch(value)):
        return int(found[1]) * _BYTES[found[2]]
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError('wanted a number of bytes, or a text such as "10MiB" or "64KiB"')


def _duration(value: object) -> float:
    if isinstance(value, str) and (found := _DURATION.fullmatch(value)):
        return float(int(found[1]) * _SECONDS[found[2]])
    raise ValueError('wanted a duration with its unit, such as "14d", "12h", "30m" or "45s"')


def _duration_or_none(value: object) -> float:
    return 0.0 if value == 0 and not isinstance(value, bool) else _duration(value)


def _part(value: object) -> float:
    part = _part_or_none(value)
    if part == 0:
        raise ValueError('wanted more than "0%"')
    return part


def _part_or_none(value: object) -> float:
    found = _PERCENTAGE.fullmatch(value) if isinstance(value, str) else None
    part = float(found[1]) / 100 if found else 2.0
    if part > 1:
        raise ValueError('wanted a percentage with its sign, from "0%" to "100%", such as "50%"')
    return part


def _span(value: object) -> float:
    """Seconds, or a duration with its unit."""
    return _seconds(_duration(value) if isinstance(value, str) else value)


def _span_or_none(value: object) -> float:
    return _seconds_or_none(_duration(value) if isinstance(value, str) else value)


def _percent_with_sign_or_not(value: object) -> float:
    return _part_or_none(value) * 100 if isinstance(value, str) else _percent(value)


def _compared_place(value: str) -> str:
    if value in ("status", "body"):
        return value
    if value.startswith("header "):
        return f"header {_token(value.removeprefix('header ')).lower()}"
    json_path.parse(value)
    return value


def _day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise ValueError('wanted the last day in quotes, such as "2026-12-31"') from None


def _header_pattern(value: str) -> str:
    return _token(value.removesuffix("*") or "*").lower() + ("*" if value.endswith("*") else "")


def _answer_status(value: int) -> int:
    if value in _ANSWERS:
        return value
    raise ValueError("wanted a status that ends a request: 200 to 204, 303, or 400 to 599")


def _header_value(value: str) -> str:
    if value.isascii() and value.isprintable() and value == value.strip():
        return value
    raise ValueError("wanted printable ASCII, without blanks around it")


def _kind(value: object) -> str:
    names = {bool: "true or false", str: "a text", list: "a list", dict: "a mapping", type(None): "nothing"}
    return names.get(type(value), "a number")


Name = Annotated[
    str,
    _spelled(
        r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
        "a name has 1 to 64 letters, digits, dots, dashes and underscores, and begins with a letter or digit",
    ),
]
Token = Annotated[str, AfterValidator(_token)]
Method = Annotated[str, AfterValidator(_method)]
HeaderPattern = Annotated[str, AfterValidator(_header_pattern)]
HeaderValue = Annotated[str, AfterValidator(_header_value)]
Anonymous = Annotated[
    str,
    _spelled(
        f"legacy|address|random|cookie|header:{_TOKEN.pattern}",
        "wanted legacy, address, random, cookie, or header:NAME",
    ),
]
MediaType = Annotated[str, _spelled(r"[ -~]*/[ -~]*", "wanted a media type, such as application/json; charset=utf-8")]
BrokerName = Annotated[
    str,
    _spelled(
        r"[A-Za-z0-9_.:-]{1,127}",
        "a name at the broker has 1 to 127 letters, digits, dots, dashes, colons and underscores",
    ),
]
MessageType = Annotated[
    str,
    _spelled(
        r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*\.v[1-9][0-9]{0,3}",
        "{seen} is not a message type; write name.vN in small letters, such as order.placed.v1",
    ),
]
JsonName = Annotated[
    str,
    _spelled(
        r"[A-Za-z_][A-Za-z0-9_]{0,63}",
        "a field of the body has 1 to 64 letters, digits and underscores, and does not begin with a digit",
    ),
]
ComparedPlace = Annotated[str, AfterValidator(_compared_place)]
Day = Annotated[str, AfterValidator(_day)]
AnswerStatus = Annotated[int, AfterValidator(_answer_status)]
Plugin = Annotated[str, _spelled(r"[A-Za-z_][\w]*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", 'wanted "package.module:factory"')]
Target = Annotated[
    str,
    _spelled(r"/[!-\"$-~]*", "wanted a path such as /health/ready, with a query if need be, and without a fragment"),
]
EnvironmentName = Annotated[
    str, _spelled(r"([A-Za-z_][A-Za-z0-9_]{0,99})?", "wanted the name of an environment variable, not its value")
]
Protocol = Annotated[str, AfterValidator(_protocol)]
RoutePath = Annotated[str, _checked(parse)]
Origin = Annotated[str, _checked(addresses.origin)]
BasePath = Annotated[str, _checked(addresses.check_base_path)]
Discovered = Annotated[str, _checked(parse_target)]
Network = Annotated[str, _checked(addresses.network)]
Url = Annotated[str, _checked(addresses.check_url)]
JsonPlace = Annotated[str, _checked(json_path.parse_place)]
JsonPath = Annotated[str, _checked(json_path.parse)]
Rate = Annotated[str, _checked(parse_rate)]
RewriteTemplate = Annotated[str, AfterValidator(_rewrite)]
LocationTemplate = Annotated[str, AfterValidator(_location)]
Percent = Annotated[float, BeforeValidator(_percent), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 100})]
Margin = Annotated[
    float,
    BeforeValidator(_margin),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 100}),
]
Seconds = Annotated[float, BeforeValidator(_seconds), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
SecondsOrNone = Annotated[float, BeforeValidator(_seconds_or_none), WithJsonSchema({"type": "number", "minimum": 0})]
Patience = Annotated[float, BeforeValidator(_patience), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 60})]
OnOff = Annotated[
    bool, BeforeValidator(_on_off), WithJsonSchema({"anyOf": [{"type": "boolean"}, {"enum": ["on", "off"]}]})
]
Ratio = Annotated[float, BeforeValidator(_ratio), WithJsonSchema({"type": "number", "exclusiveMinimum": 1})]
DurationOrNone = Annotated[
    float, BeforeValidator(_duration_or_none), WithJsonSchema({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"})
]
Switch = Annotated[bool, BeforeValidator(_switch), WithJsonSchema({"type": "boolean"})]
Skew = Annotated[float, BeforeValidator(_skew), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 300})]
ByteSize = Annotated[
    int, BeforeValidator(_size), WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]})
]
Duration = Annotated[
    float, BeforeValidator(_duration), WithJsonSchema({"type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$"})
]
Part = Annotated[float, BeforeValidator(_part), WithJsonSchema({"type": "string", "pattern": "^[0-9.]+ ?%$"})]
PartOrNone = Annotated[
    float, BeforeValidator(_part_or_none), WithJsonSchema({"type": "string", "pattern": "^[0-9.]+ ?%$"})
]
_NUMBER_OR_TEXT = WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]})
Span = Annotated[float, BeforeValidator(_span), _NUMBER_OR_TEXT]
SpanOrNone = Annotated[float, BeforeValidator(_span_or_none), _NUMBER_OR_TEXT]
PercentOrPart = Annotated[float, BeforeValidator(_percent_with_sign_or_not), _NUMBER_OR_TEXT]
WholeNumber = Annotated[int, Field(ge=0, le=1_000_000)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
WORD, MAPPING, LIST = "=word", "=mapping", "=list"
"""Tags of unions such as `word | mapping`; the "=" tells them from field names in the place of an error."""


def word_or_mapping(value: object) -> str | None:
    """Which member of such a union a value is meant to be."""
    if isinstance(value, str):
        return WORD
    return MAPPING if isinstance(value, dict | BaseModel) else None


def word_mapping_or_list(value: object) -> str | None:
    """The same, where the value may be a list, too."""
    return LIST if isinstance(value, list) else word_or_mapping(value)


StateName = Literal["legacy", "shadow", "canary", "extracted", "retired"]
