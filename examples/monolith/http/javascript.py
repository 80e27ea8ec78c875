"""JSON as Node 16 reads and writes it: V8's messages, double-precision numbers."""

import json
import math
import re
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from examples.monolith.http.v8_syntax import find_fault

MAX_SAFE_INTEGER = 2**53
MAX_PLAIN_NUMBER = 1e21
MIN_PLAIN_NUMBER = 1e-6
_SPACES = "".join(map(chr, range(0x2000, 0x200B)))
_WHITE_SPACE = f"\t\n\v\f\r \u00a0\u1680{_SPACES}\u2028\u2029\u202f\u205f\u3000\ufeff"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse(text: str) -> Any:
    """The value of JSON text; numbers become what a double can hold. Raises SyntaxFault."""
    try:
        value = json.loads(text, parse_int=_number, parse_float=_number, parse_constant=_no_constant)
        return _well_formed(value) if _SURROGATE.search(text) else value
    except RecursionError:
        find_fault(text)
        return ()  # too deep for any body that passes validation; V8 reads it, the rules refuse it
    except ValueError:
        find_fault(text)
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


def text_of(value: Any) -> str:
    """A query's value as JavaScript writes it into a template string."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return value
        case list():
            return ",".join(text_of(item) for item in value)
        case _:
            return "[object Object]"


def strip(text: str) -> str:
    """String.prototype.trim: Unicode's space separators, line ends and the byte order mark (ECMA-262 §22.1.3.32)."""
    return text.strip(_WHITE_SPACE)


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
    """Half of a surrogate pair becomes U+FFFD, as Node's UTF-8 encoder does it."""
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
