"""Instances from DNS: A and AAAA records (RFC 1035, 3596), or SRV records (RFC 2782). The only file with dnspython."""

import asyncio
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.resolver

from chassis.discovery.port import Instance, located
from chassis.discovery.target import DiscoveryTarget, name_server
from chassis.discovery.watch import InstanceSource, SourceAnswer, SourceAway

SHORTEST_TTL_S: Final = 1.0
LONGEST_TTL_S: Final = 60.0
"""A record that is valid for longer is asked for again all the same."""
ABSENT_TTL_S: Final = 5.0
"""After an answer that there is none."""
LIFETIME_S: Final = 5.0
MAX_TARGETS: Final = 200
"""Of SRV records; a longer answer is an error of somebody."""


class DnsSources:
    """`server`: ADDRESS:PORT of the name server where a target names none; None: those of /etc/resolv.conf."""

    def __init__(self, server: str | None) -> None:
        self._server = server
        self._resolvers: dict[str | None, dns.asyncresolver.Resolver] = {}

    def source(self, target: DiscoveryTarget) -> InstanceSource:
        """Of one name. Raises ValueError."""
        server = target.server or self._server
        if server not in self._resolvers:
            self._resolvers[server] = _resolver(server)
        return DnsSource(self._resolvers[server], target)

    def close(self) -> None:
        """Nothing stays open between two questions."""


class DnsSource:
    """One name, asked for again when its records have expired."""

    def __init__(self, resolver: dns.asyncresolver.Resolver, target: DiscoveryTarget) -> None:
        self._resolver, self._target = resolver, target
        self.due = 0.0

    async def ask(self) -> SourceAnswer:
        """Raises SourceAway."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self.due - loop.time()))
        find = self._of_services if self._target.source == "dns+srv" else self._of_addresses
        try:
            instances, ttl_s = await find()
        except (dns.exception.DNSException, OSError) as error:
            raise SourceAway(f"DNS: {self._target.name}: {_reason(error)}") from error
        self.due = loop.time() + min(max(ttl_s, SHORTEST_TTL_S), LONGEST_TTL_S)
        return SourceAnswer(tuple(sorted(set(instances), key=lambda one: one.id)))

    async def _of_addresses(self) -> tuple[list[Instance], float]:
        hosts, ttl_s = await self._addresses(self._target.name)
        return [located(host, self._target.port) for host in hosts], ttl_s

    async def _of_services(self) -> tuple[list[Instance], float]:
        """The targets of the lowest priority; weights do not count."""
        answer = await self._records(self._target.name, "SRV")
        if answer is None:
            return [], ABSENT_TTL_S
        first = min(record.priority for record in answer)
        records = [record for record in answer if record.priority == first and record.port]
        if len(records) > MAX_TARGETS:
            raise OSError(f"{len(records)} SRV records; at most {MAX_TARGETS} are taken")
        names = sorted({record.target.to_text() for record in records})
        found = dict(zip(names, await asyncio.gather(*map(self._addresses, names)), strict=True))
        instances = [located(host, record.port) for record in records for host in found[record.target.to_text()][0]]
        return instances, min([_ttl_s(answer), *(ttl_s for _, ttl_s in found.values())])

    async def _addresses(self, name: str) -> tuple[list[str], float]:
        answers = await asyncio.gather(self._records(name, "A"), self._records(name, "AAAA"))
        found = [answer for answer in answers if answer is not None]
        hosts = [record.address for answer in found for record in answer]
        return hosts, min(map(_ttl_s, found), default=ABSENT_TTL_S)

    async def _records(self, name: str, kind: str) -> dns.resolver.Answer | None:
        """None: there are none."""
        try:
            return await self._resolver.resolve(name, kind, search=True, lifetime=LIFETIME_S)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None


def _resolver(server: str | None) -> dns.asyncresolver.Resolver:
    """Raises ValueError."""
    try:
        resolver = dns.asyncresolver.Resolver(configure=server is None)
    except dns.exception.DNSException as error:
        raise ValueError(f"the system's name servers cannot be read: {error}") from error
    if server is not None:
        host, resolver.port = name_server(server)
        resolver.nameservers = [host]
    return resolver


def _ttl_s(answer: dns.resolver.Answer) -> float:
    return answer.rrset.ttl if answer.rrset is not None else ABSENT_TTL_S


def _reason(error: Exception) -> str:
    if isinstance(error, dns.resolver.NoNameservers | dns.resolver.LifetimeTimeout):
        return "no name server answers"
    return str(error) or type(error).__name__
