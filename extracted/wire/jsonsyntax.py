"""The message with which V8 (Node 16) refuses text that is not JSON. Users see it in a 400."""

import re

_WHITE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_HEX_SO_FAR = re.compile(r"\\u[0-9a-fA-F]{0,3}")
_NUMBER = re.compile(r"-?(?:0(?![0-9])|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NUMBER_SO_FAR = re.compile(r"-?(?:0|[1-9][0-9]*)?(?:(?<=[0-9])\.[0-9]*)?(?:(?<=[0-9])[eE][+-]?)?")
_WORDS = {"t": "true", "f": "false", "n": "null"}
_DIGITS = frozenset("-0123456789")


def fault(text: str) -> str | None:
    """Why JSON.parse refuses `text`; None if it accepts it."""
    scanner = _Scanner(text)
    return None if scanner.accepts() else scanner.sentence()


class _Scanner:
    """Scans the text without recursion. `_at` ends where V8 would stop."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def accepts(self) -> bool:
        """Scans token by token. `wanted`: what may follow. `closers`: the ends of the open containers."""
        closers: list[str] = []
        wanted = "value"
        while wanted:
            self._at = self._end_of(_WHITE)
            if wanted == "after" and not closers:
                return self._at == len(self._text)
            wanted = self._next(wanted, closers)
        return False

    def sentence(self) -> str:
        """The message about the character at `_at`. Positions count UTF-16 units."""
        sign = self._sign()
        if not sign:
            return "Unexpected end of JSON input"
        place = f"in JSON at position {len(self._text[: self._at].encode('utf-16-le', 'surrogatepass')) // 2}"
        if sign == '"':
            return f"Unexpected string {place}"
        if sign in _DIGITS:
            return f"Unexpected number {place}"
        return f"Unexpected token {first_unit(sign)} {place}"

    def _next(self, wanted: str, closers: list[str]) -> str:
        """Reads one token and returns what may follow; "" if the token is not allowed here."""
        sign = self._sign()
        if closers and sign == closers[-1] and wanted in ("after", "value or end", "key or end"):
            self._at += 1
            closers.pop()
            return "after"
        if wanted == "after":
            return self._comma(sign, closers[-1])
        if wanted.startswith("key"):
            return "value" if self._string() and self._colon() else ""
        return self._value(sign, closers)

    def _value(self, sign: str, closers: list[str]) -> str:
        if sign in ("{", "["):
            self._at += 1
            closers.append("}" if sign == "{" else "]")
            return "key or end" if sign == "{" else "value or end"
        taken = self._string() if sign == '"' else self._number() if sign in _DIGITS else self._word()
        return "after" if taken else ""

    def _comma(self, sign: str, closer: str) -> str:
        if sign != ",":
            return ""
        self._at += 1
        return "key" if closer == "}" else "value"

    def _colon(self) -> bool:
        self._at = self._end_of(_WHITE)
        return self._take(":")

    def _string(self) -> bool:
        if self._sign() != '"':
            return False
        self._at = self._end_of(_STRING)
        if self._take('"'):
            return True
        escape = self._end_of(_HEX_SO_FAR)
        if escape > self._at:
            self._at = escape
        else:
            self._take("\\")
        return False

    def _number(self) -> bool:
        whole, partial = self._end_of(_NUMBER), self._end_of(_NUMBER_SO_FAR)
        self._at = max(whole, partial)
        return self._at == whole

    def _word(self) -> bool:
        word = _WORDS.get(self._sign(), "")
        return bool(word) and all(self._take(letter) for letter in word)

    def _take(self, sign: str) -> bool:
        found = self._sign() == sign
        self._at += found
        return found

    def _sign(self) -> str:
        return self._text[self._at : self._at + 1]

    def _end_of(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self._text, self._at)
        return found.end() if found else self._at


def first_unit(sign: str) -> str:
    """The character, or the first of the two units that UTF-16 writes for it."""
    return sign if sign <= "\uffff" else chr(0xD800 + ((ord(sign) - 0x10000) >> 10))
