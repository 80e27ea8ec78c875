"""Who fails too often has to wait; who has logged in from an address before is kept out by nobody else."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from chassis.database import migrations
from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.store import StoreUnavailable
from extracted.account.attempts.domain import AttemptRules, AttemptScope, network_of
from extracted.account.attempts.ports import AttemptStore, Keys, Levels
from extracted.account.attempts.service import LoginAttempts
from extracted.account.attempts.storage import CLEANED_EVERY, SqlAttemptStore, define
from extracted.account.domain import Compat
from extracted.account.purchases.storage import MIGRATIONS
from extracted.account.sign_in.domain import IssuedToken, Login, LoginRefusal, LoginResult
from extracted.account.sign_in.service import SignIn
from tests.support.monolith.monolith_file import MonolithData
from tests.support.stores import EVERYWHERE

RIGHT, WRONG = "right", "wrong"
HOUR = timedelta(hours=1)
RULES = AttemptRules(
    {AttemptScope.PAIR: 5, AttemptScope.ADDRESS: 50, AttemptScope.USER: 20}, HOUR, timedelta(minutes=5), 90 * 24 * HOUR
)
TOKEN = IssuedToken("token", datetime(2040, 1, 1, tzinfo=UTC))


@dataclass
class World:
    """Everybody whose identity begins with `user` exists. `verified`: how often a password was looked at."""

    database: Database
    at: datetime = datetime(2030, 1, 1, tzinfo=UTC)
    verified: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    is_away: bool = False
    compat: Compat = Compat.STRICT
    replicas: list[SignIn] = field(default_factory=list)

    async def find(self, identity: str) -> Login | None:
        return Login(identity, "subject", "hash") if identity.startswith("user") else None

    async def log_in(self, login: Login, secret: str) -> IssuedToken | None:
        self.verified[login.user_id] += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise StoreUnavailable("away")
        return TOKEN if secret == RIGHT else None

    async def refuse(self, secret: str) -> None:
        self.refused += 1

    async def refresh(self, refresh_token: str) -> IssuedToken | None:
        return None

    async def revoke(self, access_token: str) -> bool:
        return False

    def clock(self) -> datetime:
        return self.at

    async def tries(self, identity: str, secret: str, address: str | None) -> bool:
        """At one of the replicas. Whether the user is in; a refusal never tells more than that."""
        replica = random.choice(self.replicas)
        result = await replica.log_in(identity, secret, address)
        await replica.attempts.settled()
        if isinstance(result, LoginRefusal):
            is_unknown = self.compat is Compat.STRICT and not identity.startswith("user")
            assert result is (LoginRefusal.UNKNOWN if is_unknown else LoginRefusal.INVALID)
        return isinstance(result, IssuedToken)

    def results(self) -> Counter[LoginResult]:
        return sum((replica.results for replica in self.replicas), Counter())


@dataclass
class _Breaking:
    """A store that is away after the first change."""

    store: AttemptStore
    changes: int = 0

    async def change(self, keys: Keys, decide: Callable[[Levels], Levels]) -> None:
        self.changes += 1
        if self.changes > 1:
            raise StoreUnavailable("away")
        await self.store.change(keys, decide)


@pytest.fixture(params=EVERYWHERE)
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    file = MonolithData(request.param(tmp_path))
    await migrations.upgrade(file.url, "account", MIGRATIONS)
    world = World(Database(file.url))
    for _ in range(2):
        store = SqlAttemptStore(world.database, OwnTables("account", world.database.is_sqlite), RULES, world.clock)
        attempts = LoginAttempts(store, RULES, world.clock)
        world.replicas.append(SignIn(world, world, attempts, world.compat))
    yield world
    await world.database.aclose()
    file.close()


async def rows(world: World) -> int:
    table = define(OwnTables("account", world.database.is_sqlite))
    async with world.database.look() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


async def test_a_user_who_mistypes_a_few_times_notices_nothing(world: World) -> None:
    for _ in range(5):
        assert not await world.tries("user", WRONG, "10.0.0.1")
    assert await world.tries("user", RIGHT, "10.0.0.1")
    for _ in range(5):  # a success forgets
        assert not await world.tries("user", WRONG, "10.0.0.1")
    assert await world.tries("user", RIGHT, "10.0.0.1")
    assert world.results() == {LoginResult.INVALID: 10, LoginResult.LOGGED_IN: 2}


async def test_further_failures_wait_twice_as_long_each_and_the_right_password_too(world: World) -> None:
    for _ in range(6):
        await world.tries("user", WRONG, "10.0.0.1")
    for waits_s in (1, 2, 4):
        before = world.verified["user"]
        assert not await world.tries("user", RIGHT, "10.0.0.1")
        world.at += timedelta(seconds=waits_s) - timedelta(milliseconds=1)
        assert not await world.tries("user", RIGHT, "10.0.0.1")
        assert (world.verified["user"], world.refused) == (before, 2)  # refused in the time of a wrong password
        world.at += timedelta(milliseconds=1)
        assert not await world.tries("user", WRONG, "10.0.0.1")
        assert world.verified["user"] == before + 1
        world.refused = 0
    assert world.replicas[0].attempts.refusals + world.replicas[1].attempts.refusals == {AttemptScope.PAIR: 6}
    world.at += timedelta(seconds=8)
    assert await world.tries("user", RIGHT, "10.0.0.1")


async def test_a_thousand_identities_from_one_address(world: World) -> None:
    """Most of them nobody has. One who has logged in from there before gets in, and so does everybody elsewhere."""
    assert await world.tries("user-at-home", RIGHT, "10.0.0.1")
    for number in range(1000):
        await world.tries(f"user-{number}" if number % 10 == 0 else f"nobody-{number}", WRONG, "10.0.0.1")
    assert sum(world.verified.values()) <= 1 + 6
    assert not await world.tries("user-0", RIGHT, "10.0.0.1")
    assert await world.tries("user-at-home", RIGHT, "10.0.0.1")
    assert await world.tries("user-0", RIGHT, "10.0.0.2")


async def test_one_identity_from_a_thousand_addresses(world: World) -> None:
    """The rightful user gets in from the known address, and from a new one as soon as the wait is over."""
    assert await world.tries("user", RIGHT, "192.0.2.7")
    for number in range(1000):
        await world.tries("user", WRONG, f"10.0.{number // 250}.{number % 250}")
    assert world.verified["user"] == 1 + 21
    assert await world.tries("user", RIGHT, "192.0.2.7")
    assert not await world.tries("user", RIGHT, "192.0.2.8")
    world.at += timedelta(seconds=1)
    assert await world.tries("user", RIGHT, "192.0.2.8")


async def test_a_day_of_guessing_verifies_few_passwords(world: World) -> None:
    """5 at once, a few more, then one after each longest wait; two hours later all is forgotten."""
    for _ in range(24 * 20):
        await world.tries("user", WRONG, "10.0.0.1")
        world.at += timedelta(minutes=3)
    assert 24 * 5 <= world.verified["user"] <= 24 * 12 + 5 + 9
    world.at += 4 * HOUR
    for _ in range(5):
        assert not await world.tries("user", WRONG, "10.0.0.1")
    assert await world.tries("user", RIGHT, "10.0.0.1")


async def test_a_hundred_at_once_are_not_verified_before_they_count(world: World) -> None:
    await world.tries("user", WRONG, "10.0.0.1")
    await asyncio.gather(*(world.tries("user", WRONG, "10.0.0.1") for _ in range(100)))
    assert world.verified["user"] == 6


async def test_the_next_attempt_of_a_user_waits_until_the_last_is_given_back(world: World) -> None:
    """The sixth failure would block; a log-in before it leaves none."""
    replica = world.replicas[0]
    for _ in range(5):
        await replica.log_in("user", WRONG, "10.0.0.1")
    assert [await replica.log_in("user", RIGHT, "10.0.0.1") for _ in range(3)] == [TOKEN] * 3
    await replica.attempts.settled()


async def test_a_log_in_that_cannot_be_given_back_is_a_log_in(world: World) -> None:
    replica = world.replicas[0]
    broken = replace(replica, attempts=LoginAttempts(_Breaking(replica.attempts.store), RULES, world.clock))
    assert await broken.log_in("user", RIGHT, "10.0.0.1") == TOKEN
    await broken.attempts.settled()
    assert [await world.tries("user", WRONG, "10.0.0.1") for _ in range(5)] == [False] * 5
    assert not await world.tries("user", RIGHT, "10.0.0.1")  # it counted as one of six failures


async def test_a_network_of_ipv6_is_one_address_and_its_neighbour_another(world: World) -> None:
    for number in range(20):
        await world.tries("user", WRONG, f"2001:db8:0:1::{number:x}")
    assert not await world.tries("user", RIGHT, "2001:db8:0:1::ffff")
    assert await world.tries("user", RIGHT, "2001:db8:0:2::1")


@pytest.mark.parametrize(
    ("address", "network"),
    [("10.0.0.1", "10.0.0.1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("2001:db8::1%eth0", "2001:db8::/64"), ("?", "?")],
)
def test_spellings_of_an_address(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_a_store_that_is_away_costs_the_user_nothing(world: World) -> None:
    world.is_away = True
    for _ in range(30):
        with pytest.raises(StoreUnavailable):
            await world.tries("user", RIGHT, "10.0.0.1")
    world.is_away = False
    assert await world.tries("user", RIGHT, "10.0.0.1")


async def test_without_an_address_only_the_user_counts(world: World) -> None:
    for _ in range(30):
        await world.tries("user", WRONG, None)
        await world.tries("nobody", WRONG, None)
    assert not await world.tries("user", RIGHT, None)
    assert await world.tries("user-2", RIGHT, None)


async def test_rows_of_the_past_go_and_known_addresses_stay(world: World) -> None:
    assert await world.tries("user", RIGHT, "10.0.0.1")
    for number in range(40):
        await world.tries(f"user-{number % 4}", WRONG, f"10.0.1.{number}")
    assert await rows(world) > 80
    world.at += 3 * HOUR
    await world.tries("user", RIGHT, "10.0.0.1")
    world.at += CLEANED_EVERY
    await world.tries("user", RIGHT, "10.0.0.1")
    assert await rows(world) < 5
    for _ in range(60):
        await world.tries("nobody", WRONG, "10.0.0.1")
    assert await world.tries("user", RIGHT, "10.0.0.1")
    world.at += timedelta(days=91)
    await world.tries("user-9", RIGHT, "10.0.9.9")
    world.at += CLEANED_EVERY
    await world.tries("user-9", RIGHT, "10.0.9.9")
    assert await rows(world) < 5


async def test_under_improved_neither_answer_nor_work_tells_who_exists(world: World) -> None:
    world.compat = Compat.IMPROVED
    world.replicas = [SignIn(world, world, one.attempts, Compat.IMPROVED) for one in world.replicas]
    assert not await world.tries("nobody", WRONG, "10.0.0.1")
    assert world.refused == 1
    assert not await world.tries("user", WRONG, "10.0.0.1")
    assert (world.refused, world.verified["user"]) == (1, 1)
