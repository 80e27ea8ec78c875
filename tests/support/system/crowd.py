"""Buyers: what they wish, asked through the gateway by a bounded number at once, and what they were told."""

import random
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import sleep

from tests.support.system.purchasing import Reply, System

UNKNOWN = (None, 202, 500, 502, 503, 504)
"""Answers that leave open what became of it; None: no answer."""


@dataclass(frozen=True, slots=True)
class Wish:
    """By `POST /purchases` with a key, or (`key` None) by the monolith's own call."""

    user_id: str
    token: str
    item_id: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A wish and its last answer. `asked`: how often. `named`: what its Location names."""

    wish: Wish
    status: int | None
    asked: int = 1
    named: str | None = None


def by_key(user_id: str, token: str, item_id: str, key: str | None = None) -> Wish:
    """With a new key unless one is given."""
    return Wish(user_id, token, item_id, key or str(uuid.uuid4()))


@dataclass(frozen=True)
class Crowd:
    """`tries`: how often one asks with the same key (or the same call) while nothing is known of it."""

    system: System
    at_once: int = 8
    tries: int = 1
    pause_s: float = 0.5

    def ask(self, wishes: Sequence[Wish]) -> list[Order]:
        """In the order of the wishes."""
        with ThreadPoolExecutor(self.at_once) as pool:
            return list(pool.map(self.ask_one, wishes))

    def ask_one(self, wish: Wish) -> Order:
        """Until it is told something, or has no tries left."""
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
    """Wishes of (user, token) at random, one in four by the monolith's own call."""
    chance, everybody = random.Random(seed), list(buyers)
    wishes = []
    for _ in range(number):
        user_id, token = chance.choice(everybody)
        key = None if chance.random() < 0.25 else str(uuid.UUID(int=chance.getrandbits(128), version=4))
        wishes.append(Wish(user_id, token, chance.choice(items), key))
    return wishes
