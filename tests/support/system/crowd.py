"""Buyers: what they want, requested through the gateway with limited concurrency, and their answers."""

import random
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import sleep

from tests.support.system.purchasing import Reply, System

UNKNOWN = (None, 202, 500, 502, 503, 504)
"""Answers after which the outcome is unknown; None: no answer."""


@dataclass(frozen=True, slots=True)
class Wish:
    """`POST /purchases` with a key, or the monolith's call if `key` is None."""

    user_id: str
    token: str
    item_id: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A wish and its last answer. `asked`: the number of requests. `named`: the id in its Location."""

    wish: Wish
    status: int | None
    asked: int = 1
    named: str | None = None


def by_key(user_id: str, token: str, item_id: str, key: str | None = None) -> Wish:
    """With a new key by default."""
    return Wish(user_id, token, item_id, key or str(uuid.uuid4()))


@dataclass(frozen=True)
class Crowd:
    """`tries`: how often a request is repeated with the same key while its outcome is unknown."""

    system: System
    at_once: int = 8
    tries: int = 1
    pause_s: float = 0.5

    def ask(self, wishes: Sequence[Wish]) -> list[Order]:
        """In the order of the wishes."""
        with ThreadPoolExecutor(self.at_once) as pool:
            return list(pool.map(self.ask_one, wishes))

    def ask_one(self, wish: Wish) -> Order:
        """Repeats until the outcome is known or no tries are left."""
        for tried in range(1, self.tries + 1):
            reply = self._asked(wish)
            if reply is not None and reply.status not in UNKNOWN[2:]:
                break
            if tried < self.tries:
                sleep(self.pause_s)
        if reply is None:
            return Order(wish, None, tried)
        location = reply.headers.get("location")
        return Order(wish, reply.status, tried, location and location.rpartition("/")[2])

    def _asked(self, wish: Wish) -> Reply | None:
        try:
            if wish.key is None:
                return self.system.buy(wish.token, wish.item_id)
            return self.system.purchase(wish.token, wish.item_id, wish.key)
        except OSError:
            return None


def mixed(buyers: Iterable[tuple[str, str]], items: Sequence[str], number: int, seed: int) -> list[Wish]:
    """Random wishes of (user, token), a quarter of them by the monolith's call."""
    chance, everybody = random.Random(seed), list(buyers)
    wishes = []
    for _ in range(number):
        user_id, token = chance.choice(everybody)
        key = None if chance.random() < 0.25 else str(uuid.UUID(int=chance.getrandbits(128), version=4))
        wishes.append(Wish(user_id, token, chance.choice(items), key))
    return wishes
