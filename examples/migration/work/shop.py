"""Items and purchases, by the monolith's own call and by message."""

import asyncio
import secrets
from typing import Any

from examples.demo.clients import data_of
from examples.migration.user import User
from examples.migration.world import Item, Unserved

SETTLED_WITHIN_S = 20.0
POLL_S = 0.05
TOO_DEAR = Item("44444444-4444-4444-8444-444444444444", 1000)
"""An item of the seed that nobody here can pay."""
NEW = {"cost": 5, "type": "hint", "data": {"text": "Think"}}


async def visits_shop(user: User) -> None:
    """What a user may see; the rest is the administrator's."""
    item = user.world.items[len(user.owned) % len(user.world.items)]
    seen = await user.get(f"/item/bought/{item.id}")
    if (seen["data"] is not None) != (item.id in user.owned):
        raise user.failed(f"GET /item/bought/{item.id}: {seen}, bought: {item.id in user.owned}")
    await user.call("GET", "/item", 403)
    await user.call("GET", f"/item/{item.id}", 403)
    await user.call("POST", "/item", 403, body=NEW)
    await user.call("PATCH", f"/item/{item.id}", 403, body={"cost": 0})
    await user.call("DELETE", f"/item/{item.id}", 403)
    await user.call("GET", "/transactions", 403)


async def buys(user: User) -> None:
    """Something new, the same once more (which costs nothing), and something too dear."""
    item = next((item for item in user.world.items if item.id not in user.owned), user.world.items[0])
    await _buys_one(user, item)
    await _buys_one(user, item)
    await _buys_one(user, TOO_DEAR)
    await user.call("GET", "/transactions", 403)
    await user.check_points()


async def _buys_one(user: User, item: Item) -> None:
    has = item.id in user.owned
    can = has or item.cost <= user.points
    answer = await user.call("POST", f"/item/buy/{item.id}", 201 if can else 403)
    if can and data_of(answer)["data"] is None:
        raise user.failed(f"POST /item/buy/{item.id}: 201 without the item's text")
    if can and not has:
        _bought(user, item)


async def buys_by_message(user: User) -> None:
    """The route that the monolith never had: it answers before the purchase is settled."""
    item = next((item for item in user.world.items if item.id not in user.owned and item.cost <= user.points), None)
    if item is None:
        return
    key = secrets.token_hex(8)
    answer = await user.call("POST", "/purchases", 202, 204, body={"itemId": item.id}, key=key)
    deadline = asyncio.get_running_loop().time() + SETTLED_WITHIN_S
    while (state := await _state(user, answer.headers["location"])) != "COMPLETED":
        if asyncio.get_running_loop().time() > deadline:
            raise user.failed(f"{answer.headers['location']} is {state} after {SETTLED_WITHIN_S:g} s")
        await asyncio.sleep(POLL_S)
    _bought(user, item)
    await user.check_points()


async def _state(user: User, location: str) -> str:
    """404: the message has not been taken up yet."""
    answer = await user.call("GET", location, 200, 404)
    return "waiting" if answer.status_code == 404 else str(data_of(answer)["state"])


def _bought(user: User, item: Item) -> None:
    user.owned.add(item.id)
    user.points -= item.cost


async def keeps_shop(admin: User) -> None:
    """An item from its first to its last minute, and a look at what was sold."""
    item = await new_item(admin, 5)
    where = f"/item/{item.id}"
    changed = data_of(await admin.call("PATCH", where, 200, body={"cost": 7}))
    if changed != await admin.get(where):
        raise admin.failed(f"PATCH {where} answered {changed}, and GET something else")
    await admin.get("/item?limit=100")
    await admin.get("/transactions?limit=5")
    try:
        await admin.call("PUT", f"{where}/quantity", 200, body={"quantity": 3})
        await admin.get(f"{where}/quantity")
    except Unserved:  # the monolith has no quantities
        pass
    await admin.call("DELETE", where, 200)


async def new_item(admin: User, cost: int) -> Item:
    """A hint."""
    created: Any = data_of(await admin.call("POST", "/item", 201, body=NEW | {"cost": cost}))
    return Item(created["id"], cost)
