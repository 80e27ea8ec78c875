"""What became of a request to buy, by the id of its message or of its purchase."""

from dataclasses import dataclass
from datetime import datetime

from extracted.account.purchases.domain.purchase import Purchase, RequestRecord
from extracted.account.purchases.domain.saga import PurchaseState
from extracted.account.purchases.ports import PurchaseStore


@dataclass(frozen=True, slots=True)
class FoundPurchase:
    """A request and the purchase that it led to; one of them may be missing."""

    request: RequestRecord | None
    purchase: Purchase | None

    @property
    def user_id(self) -> str | None:
        """The buyer."""
        one = self.purchase or self.request
        return None if one is None else one.user_id

    @property
    def settled_at(self) -> datetime | None:
        """None: it is open."""
        if self.purchase is not None:
            return self.purchase.settled_at
        return None if self.request is None else self.request.at

    def steps(self) -> list[tuple[str, datetime]]:
        """In the order of time; the first is the request or the debit."""
        one = self.purchase
        if one is None:
            return [("asked", self.request.at)] if self.request else []
        was_paid = one.state is not PurchaseState.REJECTED
        known = [
            ("debited" if was_paid else "asked", one.created_at),
            ("ordered", one.first_confirmed_at),
            ("cancelling", one.cancelling_at),
            (one.state.lower(), one.settled_at),
            ("revoked", one.revoked_at),
        ]
        return [(step, at) for step, at in known if at is not None]


@dataclass(frozen=True, slots=True)
class PurchaseQueries:
    """Only reads."""

    store: PurchaseStore

    async def find(self, id: str) -> FoundPurchase | None:
        """None: there is no such request, or it has not been handled yet. Raises StoreUnavailable."""
        async with self.store.read() as reader:
            request = await reader.request(id)
            purchase_id = id if request is None else request.purchase_id
            purchase = None if purchase_id is None else await reader.find(purchase_id)
        return None if request is None and purchase is None else FoundPurchase(request, purchase)
