"""JSON text as JavaScript writes it (ECMA-262 §25.5.2), and the sentence with which V8 refuses JSON text (Node 16)."""

import json
import re
from collections.abc import Mapping, Sequence

_WHITE = " \t\n\r"
_STRING = re.compile(r'(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_ESCAPE_SO_FAR = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER_SO_FAR = re.compile(r"-?(?:(?:0|[1-9][0-9]*)(?:\.(?:[0-9]+(?:[eE](?:[+-])?)?)?|[eE](?:[+-])?)?)?")
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


def syntax_fault(text: str) -> str | None:
    """Why JSON.parse refuses `text`; None where it does not."""
    scanner = _Scanner(text)
    return None if scanner.accepts() else scanner.fault()


class _Scanner:
    """Walks through JSON text without recursion; `at` is left where V8 would stop."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def accepts(self) -> bool:
        open_: list[str] = []
        wants = "value"
        while True:
            self._skip_white()
            if wants == "end" and not open_:
                return self.at == len(self._text)
            wants = self._step(wants, open_)
            if not wants:
                return False

    def fault(self) -> str:
        """V8's sentence for what stands at `at`; positions count UTF-16 units."""
        rest = self._text[self.at : self.at + 1]
        position = len(self._text[: self.at].encode("utf-16-le", "surrogatepass")) // 2
        if not rest:
            return "Unexpected end of JSON input"
        if rest == '"':
            return f"Unexpected string in JSON at position {position}"
        if rest in "-0123456789":
            return f"Unexpected number in JSON at position {position}"
        first = rest if ord(rest) < 0x10000 else chr(0xD800 + ((ord(rest) - 0x10000) >> 10))
        return f"Unexpected token {first} in JSON at position {position}"

    def _step(self, wants: str, open_: list[str]) -> str:
        """One token; returns what may come next, "" where the token is not allowed."""
        sign = self._text[self.at : self.at + 1]
        if sign and sign in "]}" and open_ and sign == open_[-1] and wants in ("end", "first"):
            self.at += 1
            open_.pop()
            return "end"
        if wants == "end":
            return self._after_value(sign, open_)
        if open_ and open_[-1] == "}" and wants != "member":
            return "member" if sign == '"' and self._string() and self._colon() else ""
        return self._value(sign, open_)

    def _after_value(self, sign: str, open_: list[str]) -> str:
        if sign != ",":
            return ""
        self.at += 1
        return "value" if open_[-1] == "]" else "key"

    def _value(self, sign: str, open_: list[str]) -> str:
        if sign and sign in "[{":
            self.at += 1
            open_.append("]" if sign == "[" else "}")
            return "first"
        if sign == '"':
            return "end" if self._string() else ""
        if sign and sign in "-0123456789":
            return "end" if self._number() else ""
        return "end" if self._literal() else ""

    def _colon(self) -> bool:
        self._skip_white()
        if self._text[self.at : self.at + 1] != ":":
            return False
        self.at += 1
        return True

    def _string(self) -> bool:
        found = _STRING.match(self._text, self.at + 1)
        self.at = found.end() if found else self.at + 1
        if self._text[self.at : self.at + 1] == '"':
            self.at += 1
            return True
        escape = _ESCAPE_SO_FAR.match(self._text, self.at)
        self.at = escape.end() if escape else self.at
        return False

    def _number(self) -> bool:
        whole = _NUMBER.match(self._text, self.at)
        partial = _NUMBER_SO_FAR.match(self._text, self.at)
        whole_end, partial_end = (found.end() if found else self.at for found in (whole, partial))
        after_zero = (
            self._text[self.at : whole_end].lstrip("-") == "0" and self._text[whole_end : whole_end + 1].isdigit()
        )
        self.at = max(whole_end, partial_end)
        return whole is not None and whole_end >= partial_end and not after_zero

    def _literal(self) -> bool:
        word = {"t": "true", "f": "false", "n": "null"}.get(self._text[self.at : self.at + 1], "")
        for letter in word:
            if self._text[self.at : self.at + 1] != letter:
                return False
            self.at += 1
        return bool(word)

    def _skip_white(self) -> None:
        while self.at < len(self._text) and self._text[self.at] in _WHITE:
            self.at += 1
