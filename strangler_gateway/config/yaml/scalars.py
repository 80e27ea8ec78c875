"""Plain scalars: variables in them, and the spellings that YAML versions read differently."""

import re
from collections.abc import Mapping

MAX_SUBSTITUTED = 1 << 20

_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}|\$\{")
_CONSTANTS: dict[str, object] = {"": None, "~": None, "null": None, "true": True, "false": False}
_SWITCHES = {"on": "true", "yes": "true", "off": "false", "no": "false"}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_ODD_NUMBER = re.compile(
    r"[-+]?0[0-9_]+|[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?|0[xob][0-9A-Fa-f_]+|[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?"
    r"|[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+|[-+]?\.[0-9]+|[-+]?[0-9]+\.|[-+]?\.(inf|nan)|[-+]?[0-9]{19,}",
    re.IGNORECASE,
)
_LONGEST = 64
"""Longer ones are text; no pattern is tried on them."""
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")


def resolve(text: str) -> tuple[object, str | None]:
    """Text, number, true/false or null where YAML 1.1 and 1.2 agree; else text, and why it is a trap."""
    if len(text) > _LONGEST:
        return text, None
    if text in _CONSTANTS:
        return _CONSTANTS[text], None
    if _INTEGER.fullmatch(text):
        return int(text), None
    if _FLOAT.fullmatch(text):
        return float(text), None
    return text, _trap(text)


def _trap(text: str) -> str | None:
    lower = text.lower()
    if lower in _CONSTANTS:
        return f'"{text}" is read in two ways; write {lower} in lower case, or "{text}" in quotes if the word is meant'
    if lower in _SWITCHES:
        meant = _SWITCHES[lower]
        return f'{text} is {meant} to some YAML readers, a word to others; write {meant}, or "{text}" if that is meant'
    if _ODD_NUMBER.fullmatch(text):
        return f'{text} is a different number to each YAML reader; write plain digits, or "{text}" for a text'
    if _DATE.fullmatch(text):
        return f'{text} is a date to some YAML readers; write "{text}" in quotes'
    return None


class Substitution:
    """Replaces references by values of the environment. A message never holds one: it may be secret."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._left = MAX_SUBSTITUTED

    def apply(self, text: str, used: dict[str, str]) -> str:
        """The text with its references replaced; notes the values in `used` (value → `${NAME}`). Raises ValueError."""
        return _REFERENCE.sub(lambda found: self._value(found, used), text) if "${" in text else text

    def _value(self, found: re.Match[str], used: dict[str, str]) -> str:
        name, default = found[1], found[2]
        if found[0] == "$${":
            return "${"
        if name is None:
            raise ValueError("${ does not begin a reference; write ${NAME} or ${NAME:-default}, or $${ for ${ itself")
        given = self._environ.get(name)
        value = given if default is None else given or default
        if value is None:
            raise ValueError(f"the variable {name} is not set; set it, or write ${{{name}:-default}}")
        if given:
            used[given] = f"${{{name}}}"
        self._left -= len(value)
        if self._left < 0:
            raise ValueError(f"the variables put more than {MAX_SUBSTITUTED} characters into the file")
        return value
