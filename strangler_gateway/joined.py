"""What makes a gateway one of several that act as one: their store, the other gateways, and whose counters belong."""

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chassis.settings import SettingsInvalid, revealed
from strangler_gateway.cluster.counting import Counting
from strangler_gateway.cluster.member import ClusterMember
from strangler_gateway.cluster.members import Members, namesake
from strangler_gateway.cluster.peers import PeerAway, Peers, Tokens
from strangler_gateway.cluster.store import StoreAway
from strangler_gateway.migration.around import SharedControl
from strangler_gateway.migration.guards.shared_failures import SharedFailures, TellFailures
from strangler_gateway.migration.rules.shared_counts import RowOf, SharedCounts
from strangler_gateway.settings import Settings
from strangler_gateway.telemetry.stats import Stats

if TYPE_CHECKING:
    from strangler_gateway.cluster.consul_store import ConsulStore  # its library is an extra

log = logging.getLogger(__name__)

WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104  # names them, does not bind


@dataclass(frozen=True, slots=True)
class Joined:
    """The parts; `run` names this process in the rollbacks that it makes."""

    run: str
    store: "ConsulStore"
    members: Members
    peers: Peers
    counting: Counting
    counts: SharedCounts
    failures: SharedFailures

    @property
    def control(self) -> SharedControl:
        """What the migration needs of it."""
        return SharedControl(self.store, self.members, self.run, self.counts, self.failures, self.ask_driver)

    async def ask_driver(self, wish: Mapping[str, Any]) -> bool:
        """Whether the gateway that makes automatic moves has made this one."""
        driver = next((one for one in self.members.others if one.name == self.store.driver), None)
        if driver is None:
            return False
        try:
            return (await self.peers.ask(driver, "automatic", wish))["done"] is True
        except (PeerAway, KeyError) as exc:
            log.warning("%s is not rolled back automatically: %s", wish["unit"], exc)
            return False

    async def open(self) -> None:
        """Before the migration starts: what the last process knew."""
        await asyncio.to_thread(self.members.restore)
        await asyncio.to_thread(self.counting.resume)

    async def begin(self, admin: str) -> None:
        """Before the ports open: the others wait for this gateway from now on. `admin`: the URL of its admin port."""
        try:
            await self.members.begin(admin)
        except StoreAway as exc:
            log.warning("the other gateways do not know of this one yet: %s", exc)

    async def taken(self, admin: str) -> str | None:
        """Another gateway that runs and has the same name, as a sentence; None: nobody answers."""
        try:
            await self.store.read_all()
        except StoreAway:
            return None  # it is noticed later
        known = self.store.members.get(self.members.me.name)
        if known is None or known.run == self.run or known.admin in ("", admin):
            return None  # at the same URL it can only be the process before this one
        try:
            answer = await self.peers.ask(known, "run", {})
        except PeerAway:
            return None
        return namesake(known.name, known.admin) if answer.get("run") == known.run else None

    async def end(self, *, counted: bool) -> None:
        """At a graceful stop, when nothing is served any more. `counted`: the counters are on the disk."""
        if counted:
            await asyncio.to_thread(self.counting.keep)
        try:
            await self.members.leave()
        except StoreAway as exc:
            log.warning("the other gateways wait for this one until it is back, or forgotten: %s", exc)
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the connections: another process goes on as this gateway."""
        await self.peers.aclose()
        await self.store.aclose()


def joined(
    settings: Settings,
    tokens: Tokens,
    stats: Stats,
    row: RowOf,
    tell: TellFailures,
    clock: Callable[[], float] = time.time,
) -> Joined | None:
    """None: this gateway is alone. Call it on the loop. Raises SettingsInvalid.

    `row`, `tell`: what it has counted for the gate, and for rule 2.
    """
    if not settings.store:
        return None
    _check(settings)
    name = member_name(settings)
    store = _consul_store(settings, name, clock)
    run = secrets.token_hex(6)
    members = Members(store, ClusterMember(name, run), settings.state / "members.json", settings.store_wait_s, clock)
    store.heard = members.changed
    peers, counting = Peers(name, tokens, clock=clock), Counting(settings.state / "counting.json", stats)
    counts, failures = SharedCounts(members, peers, counting, row), SharedFailures(name, members, peers, tell)
    return Joined(run, store, members, peers, counting, counts, failures)


class Reporting:
    """Tells other gateways, if there are any, that this one runs. `admin`: the URL of its admin port, known later."""

    def __init__(self, joined: Joined | None, admin: Callable[[], str]) -> None:
        self._joined, self._admin = joined, admin
        self._task: asyncio.Task[None] | None = None

    async def begin(self, tasks: asyncio.TaskGroup) -> None:
        """They wait for this one from now on."""
        if self._joined is not None:
            await self._joined.begin(self._admin())
            self._task = tasks.create_task(self._joined.members.run())

    def end(self) -> None:
        """What was told last stays."""
        if self._task is not None:
            self._task.cancel()


def _check(settings: Settings) -> None:
    """What several gateways have to share. Raises SettingsInvalid."""
    where = "STRANGLER_STORE is set, so several gateways act as one"
    if not settings.consul_url:
        raise SettingsInvalid(f"{where}: set STRANGLER_CONSUL_URL, for example consul://127.0.0.1:8500")
    if not revealed(settings.signing_key):
        raise SettingsInvalid(
            f"{where} and trust each other by one signing key: set STRANGLER_SIGNING_KEY or STRANGLER_SIGNING_KEY_FILE "
            "to the same P-256 keys for all of them (the key in the state directory is this gateway's own)"
        )
    if not settings.member and not settings.admin_port:
        raise SettingsInvalid(f"{where}: a free admin port (0) gives no lasting name, so set STRANGLER_MEMBER")
    if not settings.advertise and settings.admin_host in WILDCARDS:
        raise SettingsInvalid(
            f"{where} and call each other's admin ports: set STRANGLER_ADVERTISE to the URL at which the others reach "
            f"this one (it listens on {settings.admin_host})"
        )


def _consul_store(settings: Settings, name: str, clock: Callable[[], float]) -> "ConsulStore":
    """Raises SettingsInvalid."""
    try:
        from chassis.consul.client import Consul  # an extra: only who shares a store needs it
        from strangler_gateway.cluster.consul_store import ConsulStore
    except ImportError as exc:
        raise SettingsInvalid(
            "STRANGLER_STORE=consul needs the extra `consul`: pip install 'strangler-gateway[consul]'"
        ) from exc
    assert settings.consul is not None  # it was checked
    try:
        return ConsulStore(Consul(settings.consul), settings.store_prefix, name, settings.store_session_s, clock)
    except ValueError as exc:
        raise SettingsInvalid(f"Consul: {exc}") from None


def member_name(settings: Settings) -> str:
    """What this gateway is called among several, and in what it signs."""
    return settings.member or f"{socket.gethostname()}:{settings.admin_port}"
