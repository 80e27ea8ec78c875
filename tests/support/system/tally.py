"""Compares the answers that buyers got with the books, in Jepsen's terms: lost, recovered, unexpected, duplicated."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.support.system.books import Books
from tests.support.system.crowd import UNKNOWN, Order

Pair = tuple[str, str]
"""A user and an item."""
REFUSED = frozenset({400, 403, 404, 409})


@dataclass
class Tally:
    """`recovered` is not a breach: the buyer got no certain answer, and the purchase was settled."""

    lost: list[str] = field(default_factory=list)
    recovered: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return ", ".join(f"{name} {len(found)}" for name, found in vars(self).items())

    @property
    def breaches(self) -> list[str]:
        return [f"{name}: {one}" for name, found in vars(self).items() if name != "recovered" for one in found]


def tally(books: Books, orders: Sequence[Order]) -> Tally:
    """Call it at rest. Orders of deleted users do not count."""
    here = [order for order in orders if order.wish.user_id in books.points]
    bought = {(row["user_id"], row["Object_id"]) for row in books.transactions.values()}
    opened = {(row["user_id"], row["item_id"]) for row in books.purchases.values() if row["state"] != "REJECTED"}
    return Tally(
        lost=list(_lost(books, here, bought | opened)),
        recovered=[f"{_told(order)}" for order in here if order.status in UNKNOWN and _pair(order) in opened],
        unexpected=list(_unexpected(here, bought, opened)),
        duplicated=list(_duplicated(books)),
    )


def _lost(books: Books, orders: Iterable[Order], known: set[Pair]) -> Iterable[str]:
    for order in orders:
        if order.status in (202, 204) and order.named not in books.requests.keys() | books.purchases.keys():
            yield f"{_told(order)}, and nobody knows of {order.named}"
        elif order.status in (201, 204) and _pair(order) not in known:
            yield f"{_told(order)}: there is no purchase"


def _unexpected(orders: Iterable[Order], bought: set[Pair], opened: set[Pair]) -> Iterable[str]:
    told: dict[Pair, set[int | None]] = defaultdict(set)
    for order in orders:
        told[_pair(order)].add(order.status)
    users = {user_id for user_id, _ in told}
    for user_id, item_id in sorted(pair for pair in opened - told.keys() if pair[0] in users):
        yield f"nobody asked for item {item_id} for user {user_id}"
    for user_id, item_id in sorted(pair for pair in bought & told.keys() if told[pair] <= REFUSED):
        yield f"user {user_id} was refused item {item_id} each time, and has it"


def _duplicated(books: Books) -> Iterable[str]:
    """A revoked purchase does not count: its item may be bought again."""
    paid: dict[Pair, int] = defaultdict(int)
    for purchase_id, entries in books.ledger.items():
        purchase = books.purchases[purchase_id]
        if purchase["revoked_at"] is None:
            paid[purchase["user_id"], purchase["item_id"]] += ("debit" in entries) - ("refund" in entries)
    for (user_id, item_id), times in paid.items():
        if times > 1:
            yield f"user {user_id} was charged {times} times for item {item_id}"


def _pair(order: Order) -> Pair:
    return order.wish.user_id, order.wish.item_id


def _told(order: Order) -> str:
    return f"user {order.wish.user_id} was answered {order.status} for item {order.wish.item_id}"
