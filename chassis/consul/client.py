"""Consul's HTTP API for asyncio: the one module that knows python-consul2 0.1.5.

The library is synchronous: each call runs in a thread that has its own instance and connection (threads.py). Reads of
keys are consistent: they see every write that was acknowledged before.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import consul  # type: ignore[import-untyped]

from chassis.consul.pulse import ANSWER_S, Pulse
from chassis.consul.settings import ConsulSettings, TokenSource, parse_consul_url, tls_context
from chassis.consul.threads import WorkerThreads
from chassis.consul.transport import ConsulAnswer, ConsulTransport
from chassis.consul.values import (
    MAX_OPERATIONS,
    Check,
    ConsulAway,
    ConsulRefused,
    Indexed,
    KeyTransaction,
    KeyValue,
    Operation,
    ServiceInstance,
)

T = TypeVar("T")
THREADS = 1024
"""Calls at once, those that wait for a change included; the next ones wait for their turn."""
_CONFLICT = 409
_FORBIDDEN = 403
_DENIED = "Permission denied"
"""How Consul's reason begins why an operation of a transaction was not done; it has no other word for it."""
_STRANGE = (KeyError, IndexError, TypeError, AttributeError, ValueError)
"""What reading an answer raises that is not Consul's."""
Json = Mapping[str, Any]


class _Library(consul.base.Consul):  # type: ignore[misc]  # untyped
    """What we use of the library, without its constructor.

    That one takes address, TLS and token from CONSUL_HTTP_* of the environment, and warns about parts of the library
    that nobody uses here.
    """

    def __init__(self, transport: ConsulTransport) -> None:
        self.http = transport
        self.token: str | None = None
        self.dc: str | None = None
        self.consistency = "consistent"
        self.agent = self.Agent(self)
        self.health = self.Health(self)
        self.kv = self.KV(self)
        self.session = self.Session(self)

    def give_up(self) -> None:
        self.http.give_up()

    def close(self) -> None:
        self.http.close()


class Consul:
    """Made inside the event loop that uses it. Every method raises ConsulAway and ConsulRefused.

    `index` and `wait_s` of a read: it returns when what it reads has changed behind that index, or after the time
    (Consul adds up to a sixteenth).
    """

    def __init__(self, settings: ConsulSettings, threads: int = THREADS) -> None:
        """Does not connect yet. Raises ValueError if a setting is wrong."""
        address, tls = parse_consul_url(settings.url), tls_context(settings)
        self.address = str(address)
        self._timeout_s = settings.timeout_s
        self._tokens = TokenSource(settings)
        self._threads: WorkerThreads[_Library] = WorkerThreads(
            "consul",
            threads,
            lambda: _Library(ConsulTransport(address, tls, settings.timeout_s)),
        )
        self._asking: WorkerThreads[ConsulTransport] = WorkerThreads(
            "consul-pulse", 1, lambda: ConsulTransport(address, tls, ANSWER_S)
        )
        self._pulse = Pulse(self._is_silent, f"Consul at {self.address}")

    def close(self) -> None:
        """Ends its threads; one that is in a call ends with it."""
        self._pulse.close()
        self._asking.close()
        self._threads.close()

    async def instances(
        self,
        service: str,
        *,
        tag: str | None = None,
        dc: str | None = None,
        index: int | None = None,
        wait_s: float = 0,
    ) -> Indexed[tuple[ServiceInstance, ...]]:
        """All registered instances, healthy or not, in the order of their ids."""

        def read(library: _Library) -> Indexed[tuple[ServiceInstance, ...]]:
            wait = _duration(wait_s)
            seen, rows = library.health.service(service, index=index, wait=wait, tag=tag, dc=dc)
            _expect_readable(library, rows, f"service {service}")
            return Indexed(_in_order(map(_checked, rows)), int(seen))

        return await self._call(read, wait_s if index else 0)

    async def get(self, key: str, *, index: int | None = None, wait_s: float = 0) -> Indexed[KeyValue | None]:
        """None if there is no such key."""
        found = await self._read(key, index, wait_s, is_tree=False)
        return Indexed(found.value[0] if found.value else None, found.index)

    async def tree(self, prefix: str, *, index: int | None = None, wait_s: float = 0) -> Indexed[tuple[KeyValue, ...]]:
        """All keys that begin with `prefix`, at one moment, in their order."""
        return await self._read(prefix, index, wait_s, is_tree=True)

    async def put(self, key: str, value: bytes, *, acquire: str | None = None, release: str | None = None) -> bool:
        """Whatever was there. With a session, takes or gives back the key's lock: False if another one holds it."""
        return await self._call(lambda library: _done(library.kv.put(key, value, acquire=acquire, release=release)))

    async def cas(self, key: str, value: bytes, index: int) -> bool:
        """Writes only if the key's `modify_index` is still `index`; 0: only if there is no such key."""
        return await self._call(lambda library: _done(library.kv.put(key, value, cas=index)))

    async def delete(self, key: str, index: int | None = None) -> bool:
        """With `index`, only if that is still its `modify_index`. A missing key counts as deleted."""
        return await self._call(lambda library: _done(library.kv.delete(key, cas=index)))

    async def delete_tree(self, prefix: str) -> bool:
        """All keys that begin with `prefix`."""
        return await self._call(lambda library: _done(library.kv.delete(prefix, recurse=True)))

    async def transact(self, operations: Sequence[Operation]) -> KeyTransaction:
        """All or nothing. Raises ValueError if there are more than MAX_OPERATIONS."""
        if len(operations) > MAX_OPERATIONS:
            raise ValueError(f"{len(operations)} operations; a transaction takes at most {MAX_OPERATIONS}")
        body = json.dumps([{"KV": _operation(one)} for one in operations])

        def put(library: _Library) -> KeyTransaction:  # the library's own call does not tell why one was not done
            headers = {"X-Consul-Token": library.token} if library.token else {}
            return library.http.put(_transaction, "/v1/txn", data=body, headers=headers)

        return await self._call(put)

    async def create_session(self, name: str, ttl_s: int, lock_delay_s: int = 0) -> str:
        """The id of a new session, whose locks are released when it ends.

        It ends when it is not renewed for `ttl_s` (10 to 86400; Consul may take up to twice as long), or when the
        agent's node fails. `lock_delay_s`: how long nobody may take a lock that ended with its session.
        """

        def create(library: _Library) -> str:
            session = library.session.create(name, ttl=ttl_s, lock_delay=lock_delay_s, behavior="release")
            if not isinstance(session, str):
                raise TypeError
            return session

        return await self._call(create)

    async def renew_session(self, session: str) -> bool:
        """False: it has ended."""

        def renew(library: _Library) -> bool:
            try:
                library.session.renew(session)
            except consul.NotFound:
                return False
            return True

        return await self._call(renew)

    async def destroy_session(self, session: str) -> None:
        """Releases its locks. One that has ended is fine, too."""
        await self._call(lambda library: library.session.destroy(session))

    async def register(self, instance: ServiceInstance, check: Check) -> None:
        """At this agent, unhealthy until its check has passed. Replaces an instance of the same id."""

        def register(library: _Library) -> None:
            if not library.agent.service.register(
                instance.service,
                service_id=instance.id,
                address=instance.host,
                port=instance.port,
                tags=sorted(instance.tags),
                check=_check(instance, check),
            ):
                raise ValueError

        await self._call(register)

    async def deregister(self, instance_id: str) -> None:
        """At this agent. One that it does not have is fine, too: a current agent answers 404 then, an old one 500."""
        try:
            await self._call(lambda library: library.agent.service.deregister(instance_id))
        except ConsulAway:
            if any(one.id == instance_id for one in await self.services()):
                raise

    async def services(self) -> tuple[ServiceInstance, ...]:
        """What is registered at this agent, healthy or not, in the order of ids."""
        return await self._call(lambda library: _in_order(map(_registered, library.agent.services().values())))

    async def _read(
        self, key: str, index: int | None, wait_s: float, *, is_tree: bool
    ) -> Indexed[tuple[KeyValue, ...]]:
        def read(library: _Library) -> Indexed[tuple[KeyValue, ...]]:
            seen, found = library.kv.get(key, index=index, recurse=is_tree, wait=_duration(wait_s))
            rows = found or () if is_tree else [found] if found else ()
            _expect_readable(library, rows, f"key {key}")
            return Indexed(tuple(map(_key_value, rows)), int(seen))

        return await self._call(read, wait_s if index else 0)

    async def _call(self, work: Callable[[_Library], T], wait_s: float = 0) -> T:
        query = self._answered(work, wait_s * 17 / 16 + self._timeout_s)
        return await (self._pulse.beside(query) if wait_s else query)

    async def _answered(self, work: Callable[[_Library], T], timeout_s: float) -> T:
        def call(library: _Library) -> T:
            library.http.begin(timeout_s)
            library.token = self._tokens.token()
            try:
                return work(library)
            except _STRANGE as error:
                raise ConsulAway(f"what answers at {self.address} is not Consul: {error!r}") from error

        try:
            async with asyncio.timeout(timeout_s + 1):
                return await self._threads.run(call)
        except TimeoutError:
            raise ConsulAway(f"Consul at {self.address}: no answer within {timeout_s + 1:g} s") from None

    async def _is_silent(self) -> bool:
        return await self._asking.run(lambda transport: transport.is_silent("/v1/status/leader"))


def _expect_readable(library: _Library, found: Iterable[object], what: str) -> None:
    """Raises ConsulRefused: an empty answer of a current agent may only mean that the token reads nothing."""
    if library.http.filtered and not found:
        raise ConsulRefused(f"the ACL token for Consul may not read {what}", _FORBIDDEN)


def _done(answer: object) -> bool:
    """The library returns a pair for a 404, which this call never gets from Consul."""
    if not isinstance(answer, bool):
        raise TypeError("neither true nor false")
    return answer


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _in_order(found: Iterable[ServiceInstance]) -> tuple[ServiceInstance, ...]:
    return tuple(sorted(found, key=lambda one: one.id))


def _checked(row: Json) -> ServiceInstance:
    found = _registered(row["Service"], row["Node"]["Address"])
    return replace(found, passing=all(check["Status"] == "passing" for check in row["Checks"] or ()))


def _registered(row: Json, node: str = "") -> ServiceInstance:
    tags = frozenset(map(str, row.get("Tags") or ()))
    return ServiceInstance(
        str(row["ID"]), str(row["Service"]), str(row.get("Address") or node), int(row.get("Port") or 0), tags
    )


def _key_value(row: Json) -> KeyValue:
    """`Value` is decoded already; Consul has null for an empty one."""
    return KeyValue(str(row["Key"]), row["Value"] or b"", int(row["ModifyIndex"]), row.get("Session"))


def _operation(one: Operation) -> Json:
    value = None if one.value is None else base64.b64encode(one.value).decode()
    fields = {"Verb": one.verb, "Key": one.key, "Value": value, "Index": one.index, "Session": one.session}
    return {name: value for name, value in fields.items() if value is not None}


def _transaction(answer: ConsulAnswer) -> KeyTransaction:
    content = json.loads(answer.content)
    if answer.code == _CONFLICT:
        reasons = tuple(str(error["What"]) for error in content["Errors"])
        if any(reason.startswith(_DENIED) for reason in reasons):
            raise ConsulRefused(f"the ACL token for Consul may not write: {reasons[0][:200]}", _FORBIDDEN)
        return KeyTransaction(False, reasons=reasons)
    rows = [result["KV"] for result in content["Results"] or ()]
    decoded = ({**row, "Value": base64.b64decode(row.get("Value") or "")} for row in rows)
    return KeyTransaction(True, tuple(map(_key_value, decoded)))


def _check(instance: ServiceInstance, check: Check) -> Json:
    interval, timeout, deregister = map(_duration, (check.interval_s, check.timeout_s, check.deregister_after_s))
    if check.url is not None:
        found: Json = consul.Check.http(check.url, interval, timeout=timeout, deregister=deregister)
    else:
        host = f"[{instance.host}]" if ":" in instance.host else instance.host
        found = consul.Check.tcp(host, instance.port, interval, timeout=timeout, deregister=deregister)
    return found
