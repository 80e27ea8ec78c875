"""Who administers, and what is refused first."""

import pytest

from extracted.shop.decision import Known, SaleRefusal, refusal, sold
from extracted.shop.domain import administers


def test_only_the_admin_role_administers() -> None:
    assert administers(("guest", "admin"))
    assert not any(administers(roles) for roles in ((), ("user",), ("administrator",), ("team::admin::captain",)))


@pytest.mark.parametrize(
    ("is_owned", "has_user", "reason"),
    [
        (True, True, SaleRefusal.ALREADY_OWNED),
        (True, False, SaleRefusal.ALREADY_OWNED),
        (False, False, SaleRefusal.USER_DELETED),
        (False, True, None),
    ],
)
def test_an_item_that_is_owned_is_refused_before_a_user_that_is_gone(
    is_owned: bool, has_user: bool, reason: SaleRefusal | None
) -> None:
    decided = refusal(Known(None, None, is_owned, has_user, is_limited=True))
    assert (decided.reason if decided else None) == reason
    assert (sold(taken=True).reason, sold(taken=False).reason) == (None, SaleRefusal.OUT_OF_STOCK)
