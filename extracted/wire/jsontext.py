"""JSON text as JavaScript writes it: JSON.stringify (ECMA-262 §25.5.2)."""

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

_SAFE = 2**53


def stringify(value: object) -> bytes:
    """UTF-8 of JSON.stringify(value); a mapping's keys keep their order. Raises TypeError for what is not JSON."""
    return _text(value).encode("utf-8", "backslashreplace")  # a lone surrogate is written as its escape


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
            raise TypeError(f"{type(value).__name__} is no JSON value")


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
