"""V8's error messages (Node 16) for text that is not JSON."""

import re
from typing import NoReturn

_SPACE = re.compile(r"[ \t\n\r]*")
_PLAIN_STRING = re.compile(r'[^"\\\x00-\x1f]*')
_DIGITS = re.compile(r"[0-9]*")
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_HEX = frozenset("0123456789abcdefABCDEF")


class SyntaxFault(Exception):
    """The text is not JSON; the message is V8's."""


def find_fault(text: str) -> None:
    """Raises SyntaxFault where V8's parser stops; returns when V8 would read all of the text."""
    _Scanner(text).scan()


class _Scanner:
    """Walks the text without recursion."""

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
        """Reads one value. True when it opened a container whose first value comes next."""
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
        """After a value: true when a comma follows, false when the container ends."""
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
            self._unexpected()
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
        """`plain`: inside a string V8 always names the character."""
        char = self._peek()
        position = utf16_length(self.text[: self.at])
        if not char:
            raise SyntaxFault("Unexpected end of JSON input")
        if char == '"' and not plain:
            raise SyntaxFault(f"Unexpected string in JSON at position {position}")
        if (char == "-" or _is_digit(char)) and not plain:
            raise SyntaxFault(f"Unexpected number in JSON at position {position}")
        raise SyntaxFault(f"Unexpected token {first_unit(char)} in JSON at position {position}")


def _is_digit(char: str) -> bool:
    return len(char) == 1 and "0" <= char <= "9"


def first_unit(char: str) -> str:
    """The character, or the first half of its surrogate pair."""
    return char if char <= "\uffff" else chr(0xD800 + ((ord(char) - 0x10000) >> 10))


def utf16_length(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)
