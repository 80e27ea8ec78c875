"""How many users there were: a bounded sketch, linear counting (Whang, Vander-Zanden, Taylor 1990), in memory alone."""

import math
from collections.abc import Iterable
from typing import Final

BITS: Final = 16_384
MOST = 120_000
"""More than that the sketch cannot tell."""


class Users:
    """2 KB, whatever the number: exact to a per cent up to 10,000 users, to some per cent up to 100,000."""

    __slots__ = ("_bits",)

    def __init__(self) -> None:
        self._bits = bytearray(BITS // 8)

    def add(self, user: str | bytes) -> None:
        """Python keys its hash anew in each process: nobody can choose names that fall together."""
        at = hash(user) % BITS
        self._bits[at >> 3] |= 1 << (at & 7)

    def digits(self) -> str:
        """The sketch for a process with the same PYTHONHASHSEED."""
        return self._bits.hex()

    def unite(self, digits: str) -> None:
        """Adds the users of another process. Raises ValueError."""
        more = bytes.fromhex(digits)
        if len(more) != len(self._bits):
            raise ValueError("a sketch has another size")
        both = int.from_bytes(self._bits, "big") | int.from_bytes(more, "big")
        self._bits = bytearray(both.to_bytes(len(more), "big"))

    @property
    def number(self) -> int:
        """The estimate, at most MOST."""
        return united((self,))


def united(sketches: Iterable[Users]) -> int:
    """How many different users there were in any of them."""
    bits = 0
    for sketch in sketches:
        bits |= int.from_bytes(sketch._bits, "big")
    empty = BITS - bits.bit_count()
    return min(round(-BITS * math.log(empty / BITS)), MOST) if empty else MOST
