"""Reads and writes JSON as JavaScript does: JSON.parse, JSON.stringify (ECMA-262 §25.5)."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

_SAFE = 2**53
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
TOO_DEEP: tuple[()] = ()


def parse(text: str) -> object:
    """The value of well-formed text. Numbers become doubles, a lone surrogate becomes U+FFFD.

    Text that nests too deep for the parser becomes an empty tuple, which no rule for a body accepts.
    """
    try:
        value = json.loads(text, parse_int=_double, parse_float=_double)
        return _scalar_values(value) if _SURROGATE.search(text) else value
    except RecursionError:
        return TOO_DEEP


def stringify(value: object) -> bytes:
    """JSON.stringify(value) in UTF-8, with keys in the order of the mapping. Raises TypeError for other values."""
    return _text(value).encode("utf-8", "backslashreplace")  # writes a lone surrogate as an escape


def iso(moment: datetime) -> str:
    """Date.prototype.toISOString (ECMA-262 §21.4.4.36): UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _double(digits: str) -> int | float:
    real = float(digits)
    return int(real) if real.is_integer() and abs(real) <= _SAFE else real


def _scalar_values(value: object) -> object:
    """Replaces lone surrogates, as Node's UTF-8 does on the way to the database."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {_scalar_values(key): _scalar_values(item) for key, item in value.items()}
        case list():
            return [_scalar_values(item) for item in value]
        case _:
            return value


def _text(value: object) -> str:
    match value:
        case None | bool():
            return json.dumps(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case int() | float():
            return _number(value)
        case Mapping():
            return "{" + ",".join(f"{_text(str(k))}:{_text(v)}" for k, v in value.items()) + "}"
        case Sequence():
            return "[" + ",".join(map(_text, value)) + "]"
        case _:
            raise TypeError(f"{type(value).__name__} is not a JSON value")


def _number(value: float) -> str:
    """Number::toString(x, 10), ECMA-262 §6.1.6.1.20: the shortest digits, without exponent from 1e-6 up to 1e21."""
    if isinstance(value, int) and abs(value) <= _SAFE:
        return str(value)
    real = float(value)
    return _digits(real) if math.isfinite(real) else "null"


def _digits(real: float) -> str:
    shortest = Decimal(repr(abs(real))).normalize().as_tuple()
    digits, exponent = "".join(map(str, shortest.digits)), int(shortest.exponent)
    point = len(digits) + exponent
    if 0 < point <= 21:
        text = digits.ljust(point, "0") if exponent >= 0 else f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        text = f"{digits[0]}{'.' if digits[1:] else ''}{digits[1:]}e{point - 1:+d}"
    return f"-{text}" if real < 0 else text
