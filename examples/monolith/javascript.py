"""JSON as Node 16 reads and writes it: V8's messages, double-precision numbers."""

import json
import math
import re
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, NoReturn

MAX_SAFE_INTEGER = 2**53
MAX_PLAIN_NUMBER = 1e21
MIN_PLAIN_NUMBER = 1e-6
_SPACE = re.compile(r"[ \t\n\r]*")
_PLAIN_STRING = re.compile(r'[^"\\\x00-\x1f]*')
_DIGITS = re.compile(r"[0-9]*")
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_HEX = frozenset("0123456789abcdefABCDEF")


class SyntaxFault(Exception):
    """Text that is no JSON; the message is V8's."""


def parse(text: str) -> Any:
    """The value of JSON text; numbers become what a double can hold. Raises SyntaxFault."""
    try:
        value = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_no_constant)
        return _well_formed(value) if _SURROGATE.search(text) else value
    except RecursionError:
        _Scanner(text).scan()
        return []  # nested deeper than any body that passes validation; V8 reads it, the rules refuse it
    except ValueError:
        _Scanner(text).scan()
        raise


def stringify(value: Any) -> str:
    """Compact JSON text, numbers as JavaScript prints them."""
    match value:
        case None | True | False:
            return json.dumps(value)
        case str():
            return encode_basestring(value)
        case int() | float():
            return number_text(value)
        case dict():
            return "{" + ",".join(f"{encode_basestring(key)}:{stringify(item)}" for key, item in value.items()) + "}"
        case _:
            return "[" + ",".join(stringify(item) for item in value) + "]"


def number_text(value: float) -> str:
    """A number as JavaScript writes it: plain digits from 1e-6 up to 1e21, `null` where JSON has no number."""
    double = float(value)
    if not math.isfinite(double):
        return "null"
    if double == 0:
        return "0"
    if MIN_PLAIN_NUMBER <= abs(double) < MAX_PLAIN_NUMBER:
        plain = format(Decimal(repr(double)), "f")
        return plain.removesuffix(".0")
    return re.sub(r"e([+-])0+", r"e\1", repr(double)).replace(".0e", "e")


def _well_formed(value: Any) -> Any:
    """Half of a surrogate pair becomes U+FFFD, as on its way through Node's UTF-8."""
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {_well_formed(key): _well_formed(item) for key, item in value.items()}
        case list():
            return [_well_formed(item) for item in value]
        case _:
            return value


def _number(digits: str) -> int | float:
    double = float(digits)
    return int(double) if double.is_integer() and abs(double) <= MAX_SAFE_INTEGER else double


def _no_constant(name: str) -> Any:
    raise ValueError(name)


class _Scanner:
    """Finds where V8's parser stops. It walks without recursion, and only over text that Python refused."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def scan(self) -> None:
        self._values()
        self._space()
        if self.at < len(self.text):
            self._unexpected()

    def _values(self) -> None:
        closers: list[str] = []
        while True:
            if self._opens(closers):
                continue
            while closers and not self._continues(closers[-1]):
                closers.pop()
            if not closers:
                return

    def _opens(self, closers: list[str]) -> bool:
        """Reads one value; true when it has begun a container whose first value comes next."""
        self._space()
        char = self._peek()
        if char not in ("{", "["):
            self._scalar(char)
            return False
        self.at += 1
        closer = "}" if char == "{" else "]"
        self._space()
        if self._peek() == closer:
            self.at += 1
            return False
        if char == "{":
            self._key()
        closers.append(closer)
        return True

    def _continues(self, closer: str) -> bool:
        """After a value: true when a comma announces another one, false when the container ends."""
        self._space()
        if self._peek() == ",":
            self.at += 1
            self._space()
            if closer == "}":
                self._key()
            return True
        self._expect(closer)
        return False

    def _key(self) -> None:
        if self._peek() != '"':
            self._unexpected()
        self._string()
        self._space()
        self._expect(":")

    def _scalar(self, char: str) -> None:
        if char == '"':
            self._string()
        elif char in _LITERALS:
            self._literal(_LITERALS[char])
        elif char == "-" or _is_digit(char):
            self._numeral()
        else:
            self._unexpected()

    def _string(self) -> None:
        self.at += 1
        while True:
            self.at = self._after(_PLAIN_STRING)
            char = self._peek()
            if char == '"':
                self.at += 1
                return
            if char != "\\":
                self._unexpected(plain=True)
            self._escape()

    def _escape(self) -> None:
        self.at += 1
        char = self._peek()
        if char == "u":
            for _ in range(4):
                self.at += 1
                if self._peek() not in _HEX:
                    self._unexpected()
        elif not char or char not in '"\\/bfnrt':
            self._unexpected(plain=True)
        self.at += 1

    def _literal(self, word: str) -> None:
        for expected in word:
            self._expect(expected)

    def _numeral(self) -> None:
        if self._peek() == "-":
            self.at += 1
        if self._peek() == "0":
            self.at += 1
            if _is_digit(self._peek()):
                self._unexpected()
        else:
            self._digits()
        if self._peek() == ".":
            self.at += 1
            self._digits()
        if self._peek() in ("e", "E"):
            self.at += 1
            if self._peek() in ("+", "-"):
                self.at += 1
            self._digits()

    def _digits(self) -> None:
        if not _is_digit(self._peek()):
            self._unexpected()
        self.at = self._after(_DIGITS)

    def _expect(self, char: str) -> None:
        if self._peek() != char:
            self._unexpected()
        self.at += 1

    def _space(self) -> None:
        self.at = self._after(_SPACE)

    def _after(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        return match.end() if match else self.at

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _unexpected(self, *, plain: bool = False) -> NoReturn:
        """`plain`: inside a string V8 names the character, whatever it is."""
        char = self._peek()
        position = utf16_length(self.text[: self.at])
        if not char:
            raise SyntaxFault("Unexpected end of JSON input")
        if char == '"' and not plain:
            raise SyntaxFault(f"Unexpected string in JSON at position {position}")
        if (char == "-" or _is_digit(char)) and not plain:
            raise SyntaxFault(f"Unexpected number in JSON at position {position}")
        unit = char if char <= "\uffff" else "\ufffd"  # half of a surrogate pair, as UTF-8 shows it
        raise SyntaxFault(f"Unexpected token {unit} in JSON at position {position}")


def _is_digit(char: str) -> bool:
    return len(char) == 1 and "0" <= char <= "9"


def utf16_length(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)
