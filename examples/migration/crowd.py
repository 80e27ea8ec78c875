"""Users at work, all at once, until they are asked to stop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from examples.demo.clients import CallFailed
from examples.demo.system import ADMIN
from examples.migration.user import User
from examples.migration.work.account import (
    changes_addresses,
    changes_profile,
    comes_back,
    looks_around,
    opens_overview,
    reads_profiles,
    welcomes_somebody,
    works_in_team,
)
from examples.migration.work.learning import keeps_lessons, new_exercise, studies, submits, tries_code
from examples.migration.work.shop import buys, buys_by_message, keeps_shop, new_item, visits_shop
from examples.migration.world import Unserved, World
from strangler_gateway.table.bucket import bucket

Activity = Callable[[User], Awaitable[None]]

USERS: tuple[Activity, ...] = (
    reads_profiles,
    opens_overview,
    visits_shop,
    studies,
    submits,
    buys,
    comes_back,
    looks_around,
    changes_profile,
    visits_shop,
    tries_code,
    buys_by_message,
    changes_addresses,
    works_in_team,
)
ADMINS: tuple[Activity, ...] = (keeps_shop, keeps_lessons)
HOSTS: tuple[Activity, ...] = (welcomes_somebody,)
AT_LEAST, AT_ONCE, MOST = 12, 4, 100
MIXED, PROBED = 2, 8
ITEMS, EXERCISES, COST, REWARD = 16, 12, 10, 20


class Crowd:
    """An administrator and users. `share`: at least MIXED of them are in this part of every group, in per cent."""

    def __init__(self, world: World, share: float) -> None:
        self.world = world
        self._share = share
        self.admin, self.host = User(world), User(world)
        self.users: list[User] = []
        self.probed: tuple[str, ...] = ()
        """Groups that will be probed: enough of their users are in the half that then goes to legacy."""

    async def gather(self) -> None:
        """Creates what there is to buy and to solve, and signs users up. Raises CallFailed, ValueError."""
        await self.admin.enter(*ADMIN)
        await self.host.enter(*ADMIN)
        self.world.items += [await new_item(self.admin, COST) for _ in range(ITEMS)]
        self.world.exercises += [
            await new_exercise(self.admin, REWARD, tested=number % 4 == 0) for number in range(EXERCISES)
        ]
        while len(self.users) < AT_LEAST or not self._is_mixed() or not self._is_halved():
            if len(self.users) >= MOST:
                raise ValueError(f"of {MOST} users not {MIXED} are in the first {self._share:g} % of every group")
            self.users += (new := [User(self.world) for _ in range(AT_ONCE)])
            await asyncio.gather(*(user.join() for user in new))

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """They work within the block, and finish what they are at when it ends."""
        self.world.stopping = False
        tasks = [asyncio.create_task(_works(self.admin, ADMINS)), asyncio.create_task(_works(self.host, HOSTS))]
        for number, user in enumerate(self.users):
            start = number % len(USERS)
            tasks.append(asyncio.create_task(_works(user, USERS[start:] + USERS[:start])))
        try:
            yield
            self.world.stopping = True
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Closes all connections."""
        for user in self.everybody:
            await user.aclose()

    @property
    def everybody(self) -> list[User]:
        """Also those who are not in the books: the administrator, twice."""
        return [self.admin, self.host, *self.users]

    def _is_mixed(self) -> bool:
        """Whether enough users, and enough addresses where nobody is known, are in the share of every group."""
        movables = self.world.routes.table.movables
        return all(
            sum(self._is_in(movables[group].salt, key(user)) for user in self.users) >= MIXED
            for group in self.world.routes.groups
            for key in (_id, _address)
        )

    def _is_halved(self) -> bool:
        movables = self.world.routes.table.movables
        return all(
            sum(bucket(movables[group].salt, user.user.encode()) >= 5000 for user in self.users) >= PROBED
            for group in self.probed
        )

    def _is_in(self, salt: str, key: str) -> bool:
        return bucket(salt, key.encode()) < self._share * 100


def _id(user: User) -> str:
    return user.user


def _address(user: User) -> str:
    return user.address


async def _works(user: User, activities: tuple[Activity, ...]) -> None:
    """Round by round; a failure ends it, and is among the observations."""
    with suppress(CallFailed):
        while True:
            for activity in activities:
                if user.world.stopping:
                    return
                with suppress(Unserved):
                    await activity(user)
