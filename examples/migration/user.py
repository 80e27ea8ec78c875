"""A user at work, with books of its own: points, what it has bought, which exercises it has solved."""

import asyncio
import secrets
from typing import Any

import httpx

from examples.demo.clients import DemoClient, data_of
from examples.migration.mails import VERIFY, MailMissing
from examples.migration.world import Person, World

PAUSE_S = 0.03
PAID_WITHIN_S = 30.0
POLL_S = 0.05


class User(DemoClient):
    """Does one thing at a time, so the points that it must have are known at each moment."""

    def __init__(self, world: World, name: str = "") -> None:
        self.address = f"10.{'.'.join(map(str, secrets.token_bytes(3)))}"
        super().__init__(next(world.gateways), world.observed, self.address)
        self.world = world
        self.name = name or f"user-{secrets.token_hex(4)}"
        self.email = f"{self.name}@example.org"
        self._login: dict[str, str] = {}
        self.points = 0
        self.owned: set[str] = set()
        self.solved: set[str] = set()

    async def call(self, method: str, path: str, *expected: int, body: Any = None, key: str = "") -> httpx.Response:
        """As its base; raises Unserved where nobody answers at present."""
        await asyncio.sleep(PAUSE_S)
        routes = self.world.routes
        route = routes.served(method, path)
        routes.in_flight[route.id] += 1
        try:
            answer = await super().call(method, path, *expected, body=body, key=key)
        finally:
            routes.in_flight[route.id] -= 1
        routes.answers[route.id][answer.status_code] += 1
        routes.known_errors[route.id] += answer.is_server_error
        return answer

    async def get(self, path: str) -> Any:
        """`data` of an answer with status 200."""
        return data_of(await self.call("GET", path, 200))

    async def join(self) -> None:
        """Signs up, confirms the address by the link in the mail, and logs in."""
        secret = secrets.token_urlsafe()
        await self.sign_up_as(secret)
        await self.enter(self.email, secret)
        self.world.people.append(self.person)

    async def sign_up_as(self, secret: str) -> None:
        """Creates the account with a confirmed address."""
        asked = {"username": self.name, "email": self.email, "password": secret}
        await self.call("POST", "/user", 201, body=asked)
        self.world.mails.expect(self.email, VERIFY)
        try:
            token = await self.world.mails.verification(self.email)
        except MailMissing as error:
            raise self.failed(str(error)) from error
        await self.call("POST", f"/user/email/validate/{token}", 204)

    async def enter(self, identity: str, secret: str) -> None:
        """Logs in, and reads how many points there are."""
        self._login = {"grantType": "implicit", "identity": identity, "secret": secret}
        await self.log_in_again()
        me = await self.get("/user/@me")
        self.user, self.points = me["id"], me["points"]

    async def log_in_again(self) -> None:
        """From now on the user has another token."""
        issued = data_of(await self.call("POST", "/auth/token", 201, body=self._login))
        self.present(issued["accessToken"])

    @property
    def person(self) -> Person:
        """What others see."""
        return Person(self.user, self.email)

    async def check_points(self) -> None:
        """Raises CallFailed unless they are what its own books say; a reward may take a moment."""
        deadline = asyncio.get_running_loop().time() + PAID_WITHIN_S
        while (points := (await self.get("/user/@me"))["points"]) != self.points:
            if asyncio.get_running_loop().time() > deadline:
                raise self.failed(f"{self.name} has {points} points, by its own books {self.points}")
            await asyncio.sleep(POLL_S)
