"""The properties of a message from the bytes that came; of those that cannot be read, what can."""

from collections.abc import Callable, Mapping

from pamqp import decode
from pamqp.commands import Basic

_FLAGS = 2  # bytes, at the beginning: which properties there are
_LONG = 4  # bytes that tell a table's length
_SIZES: Mapping[str, Callable[[bytes], int]] = {
    "octet": lambda _raw: 1,
    "timestamp": lambda _raw: 8,
    "shortstr": lambda raw: 1 + int.from_bytes(raw[:1]),
    "table": lambda raw: _LONG + int.from_bytes(raw[:_LONG]),
}


def read(raw: bytes) -> tuple[Basic.Properties, str | None]:
    """And the name of what went wrong, where they cannot be read: then texts may have escapes, or be missing."""
    properties = Basic.Properties()
    try:
        properties.unmarshal(int.from_bytes(raw[:_FLAGS]), raw[_FLAGS:])
    except Exception as error:  # whatever the library makes of foreign bytes
        return _salvaged(raw), type(error).__name__
    return properties, None


def _salvaged(raw: bytes) -> Basic.Properties:
    """Each says how long it is: one that cannot be read leaves the others."""
    properties, flags, rest = Basic.Properties(), int.from_bytes(raw[:_FLAGS]), raw[_FLAGS:]
    for name in Basic.Properties.__slots__:
        if flags & Basic.Properties.flags[name]:
            kind = Basic.Properties.amqp_type(name)
            size = _SIZES[kind](rest)
            setattr(properties, name, _value(kind, rest[:size]))
            rest = rest[size:]
    return properties


def _value(kind: str, raw: bytes) -> object:
    try:
        return decode.by_type(raw, kind)[1]
    except Exception:  # as above: it raises what it happens upon
        if kind == "shortstr":
            return _escaped(raw[1:])
        return _fields(raw[_LONG:]) if kind == "table" else None


def _fields(raw: bytes) -> dict[str, object]:
    """Up to the first whose value cannot be read."""
    found: dict[str, object] = {}
    while raw:
        begin = 1 + raw[0]
        try:
            size, value = decode.embedded_value(raw[begin:])
        except Exception:  # as above
            break
        found[_escaped(raw[1:begin])] = value
        raw = raw[begin + size :]
    return found


def _escaped(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace")
