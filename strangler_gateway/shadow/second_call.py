"""The calls that shadow makes: the same request as the user's, marked, and authorised like a real one."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chassis.auth.claims import Identity
from strangler_gateway.exchange.errors import render
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.shadow.comparison import Seen
from strangler_gateway.shadow.content_coding import Undecodable, decode
from strangler_gateway.steps.authorize import confirm, refusal
from strangler_gateway.table.routes import Service, Side
from strangler_gateway.upstream.awaitable_call import fetch
from strangler_gateway.upstream.heads_out import request_head, target_for
from strangler_gateway.upstream.reference_mapping import map_reference

if TYPE_CHECKING:
    from strangler_gateway.steps.pipeline import Gateway

MARK = (b"Strangler-Shadow", b"1")
_MAPPED = frozenset({b"location", b"content-location"})

Fields = list[tuple[bytes, bytes]]


class Truncated(Exception):
    """The answer is longer than may be kept."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One side's answer as it came; Location as a client would see it."""

    status: int
    fields: Fields
    body: bytes = field(repr=False)

    def seen(self, max_body: int) -> Seen:
        """For the comparison; a body that cannot be decoded stays as it is. Raises TooLarge."""
        try:
            return Seen(self.status, self.fields, decode(self.body, self.fields, max_body))
        except Undecodable:
            return Seen(self.status, self.fields, self.body)


class Calls:
    """The calls for one comparison. They raise UpstreamError, TimeoutError, IdentityUnavailable, Truncated."""

    def __init__(self, gateway: "Gateway", x: Exchange) -> None:
        assert x.route.shadow is not None  # tap has looked
        self._gateway, self._x, self._rules = gateway, x, x.route.shadow

    async def both(self, plain: bool = False) -> tuple[Reading, Reading]:
        """The answers of the monolith and of the new end, read at the same time; `plain`: without content coding."""
        legacy = asyncio.create_task(self._call(self._x.route.legacy, Side.LEGACY, plain))
        try:
            extracted = await self.extracted(plain)
            return await legacy, extracted
        finally:
            legacy.cancel()
            await asyncio.gather(legacy, return_exceptions=True)

    async def extracted(self, plain: bool = False) -> Reading:
        """The answer of the new end, or the gateway's own where it would refuse this caller."""
        x, service = self._x, self._x.route.extracted
        assert service is not None  # tap has looked
        found = confirm(self._gateway, x)
        identity = found if isinstance(found, Identity) else await found
        reply = refusal(x.route.auth, identity) if x.route.auth.enforce == "gateway" else None
        if reply is not None:
            return Reading(reply.status, *render(reply, self._gateway.settings.name, x.table.errors, x.request_id))
        if self._gateway.signer is not None:
            x.internal_token = self._gateway.signer.token(identity, service.name)
        return await self._call(service, Side.EXTRACTED, plain)

    async def _call(self, service: Service, side: Side, plain: bool) -> Reading:
        x, rules = self._x, self._rules
        fields = _fields(request_head(x, service, side, self._gateway.via), plain)
        target = target_for(x, service, side).removeprefix(service.base_path)
        answer = await fetch(
            self._gateway, service, x.method, target, fields, timeout_s=rules.timeout_s, max_body=rules.max_body
        )
        if answer.truncated:
            raise Truncated
        return Reading(answer.status, [_mapped(x, pair, service) for pair in answer.fields], answer.body)


def _fields(head: bytes, plain: bool) -> Fields:
    """The fields of a built head, marked as shadow's."""
    pairs = [(name, value) for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:-2])]
    if plain:
        pairs = [pair for pair in pairs if pair[0].lower() != b"accept-encoding"] + [(b"Accept-Encoding", b"identity")]
    return [*pairs, MARK]


def _mapped(x: Exchange, pair: tuple[bytes, bytes], service: Service) -> tuple[bytes, bytes]:
    name, value = pair
    return (name, map_reference(x, value, service)) if name.lower() in _MAPPED else pair
