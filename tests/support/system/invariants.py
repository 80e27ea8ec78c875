"""Checks the invariants I1–I8, and I13 of rewards, at rest or during a run; lists each breach in one sentence."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tests.support.system.books import Books, Row

OPEN = ("DEBITED", "CANCELLING")
_SETTLED_AS = {"COMPLETED": ("decreased",), "REFUNDED": ("refused", "cancelled")}


@dataclass(frozen=True)
class Known:
    """What the test knows: points granted (user → points), and the prices of items that the monolith sold.

    `at_rest`: nothing is in progress. Deleted users are skipped.
    """

    granted: Mapping[str, int]
    costs: Mapping[str, int] = field(default_factory=dict)
    at_rest: bool = True


def breaches(books: Books, known: Known) -> list[str]:
    """One sentence for each, after the invariant's number; empty if all hold."""
    return [f"{name}: {found}" for name, holds in _INVARIANTS.items() for found in holds(books, known)]


def terminal_changed(before: Books, after: Books) -> list[str]:
    """I4: terminal states never change, and permanent rows never disappear."""
    found = []
    for purchase_id, was in before.purchases.items():
        now = after.purchases.get(purchase_id)
        if now is None:
            found.append(f"I4: purchase {purchase_id} is gone")
        elif was["state"] not in OPEN and now["state"] != was["state"]:
            found.append(f"I4: purchase {purchase_id} was {was['state']} and is {now['state']}")
    for purchase_id, decision in before.decisions.items():
        if after.decisions.get(purchase_id) != decision:
            found.append(f"I4: the decision on {purchase_id} has changed or gone")
    return found


def _points(books: Books, known: Known) -> Iterable[str]:
    """Each user has the granted points, minus what was spent, plus refunds and rewards."""
    changed: Counter[str] = Counter()
    for purchase_id, entries in books.ledger.items():
        changed[books.purchases[purchase_id]["user_id"]] += sum(entries.values())
    for row in books.transactions.values():
        if row["id"] not in books.purchases:
            changed[row["user_id"]] -= known.costs.get(row["Object_id"], 0)
    for reward_id, points in books.paid.items():
        if reward_id in books.rewards:
            changed[books.rewards[reward_id]["user_id"]] += points
    for user_id, granted in known.granted.items():
        has = books.points.get(user_id)
        if has is not None and has != granted + changed[user_id]:
            yield f"user {user_id} has {has} points; granted {granted}, changed by {changed[user_id]}"


def _balances(books: Books, _known: Known) -> Iterable[str]:
    for user_id, points in books.points.items():
        if points < 0:
            yield f"user {user_id} has {points} points"


def _stock(books: Books, _known: Known) -> Iterable[str]:
    sold = Counter(row["item_id"] for row in books.decisions.values() if row["outcome"] == "decreased")
    for item_id, row in books.stock.items():
        available = row["available"]
        if available is not None and (available < 0 or row["initial"] + row["restocked"] != available + row["sold"]):
            yield f"item {item_id}: {dict(row)} does not add up"
        if available is not None and row["sold"] != sold[item_id]:
            yield f"item {item_id}: {row['sold']} sold; {sold[item_id]} decided so"


def _rows(books: Books, _known: Known) -> Iterable[str]:
    """There is a row in `transactions` exactly if the decision is DECREASED."""
    for row_id, row in books.transactions.items():
        decision = books.decisions.get(row_id)
        if row_id in books.purchases and (decision is None or decision["outcome"] != "decreased"):
            yield f"transaction {row_id} (user {row['user_id']}) has no decision to decrease"
    for purchase_id, decision in books.decisions.items():
        is_sold = decision["outcome"] == "decreased"
        if is_sold and decision["user_id"] in books.points and purchase_id not in books.transactions:
            yield f"purchase {purchase_id} was sold and has no transaction"


def _outcomes(books: Books, _known: Known) -> Iterable[str]:
    """A purchase's state, ledger and decision agree."""
    for purchase_id, purchase in books.purchases.items():
        yield from _outcome(purchase, books.ledger.get(purchase_id, {}), books.decisions.get(purchase_id))


def _outcome(purchase: Row, entries: Mapping[str, int], decision: Row | None) -> Iterable[str]:
    state, price = purchase["state"], purchase["price"]
    debit = {"debit": -price}
    wanted = {"REJECTED": {}, "REFUNDED": debit | {"refund": price}}.get(state, debit)
    seen = {kind: delta for kind, delta in entries.items() if kind != "charged_twice"}
    if seen != wanted:
        yield f"purchase {purchase['id']} is {state} at {price} points; its ledger says {entries}"
    outcome = decision and decision["outcome"]
    if state in _SETTLED_AS and outcome not in _SETTLED_AS[state]:
        yield f"purchase {purchase['id']} is {state}; Shop's decision is {outcome}"
    if state == "REJECTED" and decision is not None:
        yield f"purchase {purchase['id']} was never debited; Shop has decided {outcome}"


def _liveness(books: Books, known: Known) -> Iterable[str]:
    for purchase_id, purchase in books.purchases.items() if known.at_rest else ():
        if purchase["state"] in OPEN:
            yield f"purchase {purchase_id} is still {purchase['state']}"


def _outboxes(books: Books, known: Known) -> Iterable[str]:
    if known.at_rest:
        yield from (f"message {message} was never confirmed by the broker" for message in books.unpublished)
    for purchase_id in books.decisions.keys() - books.purchases.keys():
        yield f"Shop has decided on {purchase_id}, which Account does not know"


def _effects(books: Books, _known: Known) -> Iterable[str]:
    """A user and an item have at most one live row, and one purchase that is not revoked."""
    live = Counter(
        (row["user_id"], row["Object_id"]) for row in books.transactions.values() if row["deleted_at"] is None
    )
    yield from (f"user {user} has {n} live rows of item {item}" for (user, item), n in live.items() if n > 1)
    blocking = Counter(
        (row["user_id"], row["item_id"])
        for row in books.purchases.values()
        if row["state"] in (*OPEN, "COMPLETED") and row["revoked_at"] is None
    )
    yield from (f"user {user} pays {n} times for item {item}" for (user, item), n in blocking.items() if n > 1)


def _rewards(books: Books, known: Known) -> Iterable[str]:
    """What is earned is paid, once, and nothing else is."""
    earned = {id: row["amount"] for id, row in books.rewards.items() if row["state"] == "earned"}
    for reward_id, points in books.paid.items():
        if earned.get(reward_id) != points:
            yield f"reward {reward_id}: {points} points are paid, {earned.get(reward_id)} earned"
    for reward_id in earned.keys() - books.paid.keys() if known.at_rest else ():
        yield f"reward {reward_id} is earned and not paid"


_INVARIANTS: Mapping[str, Callable[[Books, Known], Iterable[str]]] = {
    "I1": _points,
    "I2": _balances,
    "I3": _stock,
    "I4": _rows,
    "I5": _outcomes,
    "I6": _liveness,
    "I7": _outboxes,
    "I8": _effects,
    "I13": _rewards,
}
