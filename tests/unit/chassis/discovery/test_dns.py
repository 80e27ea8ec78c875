"""Instances from DNS, asked of a name server of the test's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from chassis.discovery.dns import DnsSource, DnsSources
from chassis.discovery.port import Instance, located
from chassis.discovery.target import parse_target
from chassis.discovery.watch import InstanceSource, SourceAway

Zone = dict[tuple[str, str], tuple[int, tuple[str, ...]]]
"""(name, kind) → (TTL, records); a name without any does not exist."""


class NameServer(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.asked = 0
        self.refuses = False

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # of datagrams
        self._transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        asked = question.question[0]
        name, kind = asked.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(asked.rdtype)
        self.asked += 1
        if self.refuses:
            answer.set_rcode(dns.rcode.REFUSED)
        elif not any(known == name for known, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif (name, kind) in self.zone:
            ttl, records = self.zone[name, kind]
            answer.answer.append(dns.rrset.from_text(asked.name, ttl, "IN", kind, *records))
        self._transport.sendto(answer.to_wire(), address)


@asynccontextmanager
async def served(zone: Zone, target: str) -> AsyncIterator[tuple[NameServer, InstanceSource]]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: NameServer(zone), local_addr=("127.0.0.1", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        yield server, DnsSources(f"127.0.0.1:{port}").source(parse_target(target))
    finally:
        transport.close()


async def found(zone: Zone, target: str) -> tuple[Instance, ...] | None:
    async with served(zone, target) as (_, source):
        return (await source.ask()).instances


SRV: Zone = {
    ("_http._tcp.shop", "SRV"): (9, ("1 5 8102 a.shop.", "1 1 8103 b.shop.", "2 1 8104 spare.shop.")),
    ("a.shop", "A"): (9, ("10.0.0.1",)),
    ("b.shop", "AAAA"): (9, ("fd00::2",)),
    ("spare.shop", "A"): (9, ("10.0.0.3",)),
}


@pytest.mark.parametrize(
    ("zone", "target", "instances"),
    [
        (
            {("shop", "A"): (9, ("10.0.0.2", "10.0.0.1")), ("shop", "AAAA"): (9, ("fd00::1",))},
            "dns://shop:80",
            [("10.0.0.1", 80), ("10.0.0.2", 80), ("fd00::1", 80)],
        ),
        ({("shop", "A"): (9, ("10.0.0.1",))}, "dns://shop:80", [("10.0.0.1", 80)]),
        ({}, "dns://shop:80", []),
        (SRV, "dns+srv://_http._tcp.shop", [("10.0.0.1", 8102), ("fd00::2", 8103)]),
        ({("_http._tcp.shop", "SRV"): (9, ("0 0 0 .",))}, "dns+srv://_http._tcp.shop", []),
        ({}, "dns+srv://_http._tcp.shop", []),
    ],
)
async def test_records_make_instances(zone: Zone, target: str, instances: list[tuple[str, int]]) -> None:
    assert await found(zone, target) == tuple(located(*one) for one in instances)


async def test_it_asks_again_when_the_records_expire_but_not_within_a_second() -> None:
    zone: Zone = {("shop", "A"): (0, ("10.0.0.1",))}
    async with served(zone, "dns://shop:80") as (server, source):
        loop = asyncio.get_running_loop()
        await source.ask()
        begun, asked = loop.time(), server.asked
        zone["shop", "A"] = (3600, ("10.0.0.2",))
        assert (await source.ask()).instances == (located("10.0.0.2", 80),)
        assert loop.time() - begun > 0.9
        assert server.asked == asked * 2
        assert isinstance(source, DnsSource)
        assert source.due - loop.time() == pytest.approx(60, abs=1)


async def test_a_name_server_that_does_not_answer_the_question_is_away() -> None:
    async with served({("shop", "A"): (9, ("10.0.0.1",))}, "dns://shop:80") as (server, source):
        server.refuses = True
        with pytest.raises(SourceAway, match="shop: no name server answers"):
            await source.ask()
        server.refuses = False
        assert (await source.ask()).instances == (located("10.0.0.1", 80),)
