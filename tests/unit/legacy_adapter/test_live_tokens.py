"""A token's rows, found by its hash the first time and by their ids from then on, on both databases."""

import asyncio
import hashlib
import time
from datetime import UTC, datetime, timedelta

from chassis.database.database import Database
from legacy_adapter.live_tokens import LiveToken, LiveTokens, TokenQuestion
from tests.support.monolith.monolith_file import MonolithData

TOMORROW = datetime.now(UTC) + timedelta(days=1)


def question(token: str, user: str) -> TokenQuestion:
    return TokenQuestion(hashlib.sha256(token.encode()).hexdigest(), user, time.time())


def roles(found: LiveToken | None) -> tuple[str, ...] | None:
    return None if found is None else found.roles


async def test_tokens_that_are_known_are_read_together_each_with_its_own_roles(
    file: MonolithData, database: Database
) -> None:
    users = [file.add_user("guest", "user"), file.add_user("admin"), file.add_user()]
    asked = [question(file.login(user), user) for user in users]
    live = LiveTokens(database, 10)
    for _ in range(2):
        found = await asyncio.gather(*map(live.find, asked))
        assert [roles(one) for one in found] == [("guest", "user"), ("admin",), ()]
        assert [one and one.expires_at > time.time() for one in found] == [True] * 3


async def test_a_known_row_that_ends_is_replaced_by_another_of_the_same_token(
    file: MonolithData, database: Database
) -> None:
    user = file.add_user("user")
    token = file.login(user)
    live = LiveTokens(database, 10)
    assert roles(await live.find(question(token, user))) == ("user",)
    file.expire(token)
    file.add_token_row(token, user, TOMORROW)
    assert roles(await live.find(question(token, user))) == ("user",)
    file.expire(token)
    assert await live.find(question(token, user)) is None


async def test_a_known_row_does_not_count_for_another_user(file: MonolithData, database: Database) -> None:
    user, other = file.add_user("user"), file.add_user("admin")
    token = file.login(user)
    live = LiveTokens(database, 10)
    assert roles(await live.find(question(token, user))) == ("user",)
    assert await live.find(question(token, other)) is None
