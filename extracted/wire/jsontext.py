"""JSON text as JavaScript writes it: JSON.stringify (ECMA-262 §25.5.2)."""

import json
from collections.abc import Mapping, Sequence

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
    if real != real or real in (float("inf"), float("-inf")):
        return "null"
    sign, digits, exponent = _shortest(real)
    point = len(digits) + exponent
    if 0 < point <= 21:
        body = digits.ljust(point, "0") if exponent >= 0 else f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        body = f"0.{'0' * -point}{digits}" if digits != "0" else "0"
    else:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        body = f"{digits[0]}{fraction}e{point - 1:+d}"
    return sign + body


def _shortest(real: float) -> tuple[str, str, int]:
    """(sign, digits without zeros at the end, exponent) with real = sign digits · 10^exponent."""
    mantissa, _, power = repr(abs(real)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    exponent = int(power or 0) - len(fraction)
    stripped = digits.rstrip("0")
    return "-" if real < 0 else "", stripped or "0", exponent + len(digits) - len(stripped) if stripped else 0
