"""Keeps one connection to Redis, and opens it again when it is lost."""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Callable
from typing import Final

from strangler_gateway.redis.address import RedisAddress
from strangler_gateway.redis.link import RedisAnswer, RedisLink, RedisRefused, encoded, open_link
from strangler_gateway.redis.script import RedisScript
from strangler_gateway.telemetry.log_throttle import SubjectThrottle

log = logging.getLogger(__name__)
CONNECT_S: Final = 1.0
RETRY_S: Final = 0.5
UNKNOWN_RUN: Final = b"?"
_RUN: Final = re.compile(rb"\nrun_id:(\w+)")


class RedisConnection:
    """For one script. `use`: what for, in the words of a log line. `problem`: why it does not work now, or None.

    `run`: which start of Redis this is, `UNKNOWN_RUN` where it may not be asked. `timeout_s`: of a call.
    """

    def __init__(
        self,
        address: RedisAddress,
        timeout_s: float,
        script: RedisScript,
        use: str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = address
        self.problem: str | None = "it is not connected yet"
        self.run = UNKNOWN_RUN
        self.connected: Callable[[], None] = lambda: None
        """Called when a connection works."""
        self._timeout_s, self._script, self._use = timeout_s, script, use
        self._throttle = SubjectThrottle(now)
        self._link: RedisLink | None = None
        self._tried = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Connects by and by; once."""
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep())

    async def start(self) -> None:
        """Returns after the first attempt to connect, whatever comes of it."""
        self.begin()
        await self._tried.wait()

    async def aclose(self) -> None:
        """Ends the connection."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    def call(self, key: bytes, *arguments: bytes) -> asyncio.Future[RedisAnswer] | None:
        """Runs the script on a key. None: Redis is away."""
        link = self._link
        return None if link is None else link.ask(self._script.command(key, *arguments), self._timeout_s)

    def say(self, command: bytes, key: bytes, *arguments: bytes) -> asyncio.Future[RedisAnswer] | None:
        """A command on a key of the script. None: Redis is away."""
        link = self._link
        return (
            None if link is None else link.ask(encoded(command, self._script.prefix + key, *arguments), self._timeout_s)
        )

    def give_up(self, why: str) -> None:
        """Begins with a new connection."""
        if self._link is not None:
            self._link.give_up(why)

    async def _keep(self) -> None:
        while True:
            link = await self._try()
            self._tried.set()
            if link is not None:
                self._take(link)
                try:
                    self._away(await link.lost)
                finally:
                    self._link = None
                    link.give_up("the gateway ends")
            await asyncio.sleep(RETRY_S)

    async def _try(self) -> RedisLink | None:
        try:
            async with asyncio.timeout(CONNECT_S):
                link = await self._opened()
        except (TimeoutError, OSError, UnicodeError, RedisRefused) as error:
            self._away(str(error) or "it does not answer in time")
            return None
        return link

    async def _opened(self) -> RedisLink:
        """A connection on which the script has worked, in time. Raises OSError, TimeoutError, RedisRefused."""
        link = await open_link(self.address)
        try:
            await self._greet(link)
        except BaseException:
            link.give_up("it was not usable")
            raise
        return link

    async def _greet(self, link: RedisLink) -> None:
        address = self.address
        if address.password:
            user = [address.user.encode()] if address.user else []
            await _admitted(link, encoded(b"AUTH", *user, address.password.encode()))
        if address.database:
            await _answered(link, encoded(b"SELECT", b"%d" % address.database))
        self._script.loaded(await _answered(link, encoded(b"SCRIPT", b"LOAD", self._script.text)))
        await _answered(link, self._script.trial(), self._timeout_s)
        self.run = await _run(link)

    def _take(self, link: RedisLink) -> None:
        self._link, self.problem = link, None
        log.info("%s: Redis at %s is used", self._use, self.address)
        self.connected()

    def _away(self, why: str) -> None:
        self._link, self.problem = None, why
        told = self._throttle.told("redis")
        if told is not None:
            more = told[1]
            log.warning(
                "%s: Redis at %s is away: %s (%d times more since the last line)", self._use, self.address, why, more
            )


async def _run(link: RedisLink) -> bytes:
    """Redis' own name of its present start; a user without the right to ask has none."""
    try:
        found = _RUN.search(await _answered(link, encoded(b"INFO", b"server")))
    except RedisRefused:
        return UNKNOWN_RUN
    return found[1] if found else UNKNOWN_RUN


async def _admitted(link: RedisLink, command: bytes) -> None:
    """Of the error no more than its first word: an old server repeats the password in it."""
    try:
        await _answered(link, command)
    except RedisRefused as error:
        raise RedisRefused(f"it refuses user or password ({str(error).partition(' ')[0]})") from None


async def _answered(link: RedisLink, command: bytes, timeout_s: float = CONNECT_S) -> bytes:
    answer = await link.ask(command, timeout_s)
    if isinstance(answer, RedisRefused):
        raise answer
    if answer is None:
        with contextlib.suppress(asyncio.InvalidStateError):
            raise ConnectionError(link.lost.result())
        raise TimeoutError
    return answer
