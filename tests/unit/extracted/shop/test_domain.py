"""Who administers, and what a withheld item shows."""

from extracted.shop.domain import Item, administers


def test_only_the_admin_role_administers() -> None:
    assert administers(("guest", "admin"))
    assert not any(administers(roles) for roles in ((), ("user",), ("administrator",), ("team::admin::captain",)))


def test_a_withheld_item_keeps_all_but_its_data() -> None:
    assert Item("i", 1, "hint", {"text": "x"}).withheld() == Item("i", 1, "hint", None)
