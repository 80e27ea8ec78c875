"""The calls that shadow makes: the same request as the user's, marked, and authorised like a real one."""

from dataclasses import dataclass, field

from chassis.auth.claims import Identity
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.own_answers import OwnAnswers
from strangler_gateway.http.content_coding import Undecodable, decode
from strangler_gateway.identity.authority import Authority
from strangler_gateway.identity.grants import refusal
from strangler_gateway.identity.signer import Signer
from strangler_gateway.shadow.comparison import Seen
from strangler_gateway.table.routes import Service, Side
from strangler_gateway.upstream.fetch import fetch
from strangler_gateway.upstream.heads.out import request_head, target_for
from strangler_gateway.upstream.heads.reference_mapping import map_reference
from strangler_gateway.upstream.upstreams import Upstreams

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
    cut: bool = False
    """It broke off in its body."""

    def seen(self, max_body: int) -> Seen:
        """For the comparison; a body that cannot be decoded stays as it is. Raises TooLarge."""
        try:
            body = self.body if self.cut else decode(self.body, self.fields, max_body)
        except Undecodable:
            body = self.body
        return Seen(self.status, self.fields, body, self.cut)


class SecondCalls:
    """The calls that compare one exchange. They raise UpstreamError, TimeoutError, IdentityUnavailable, Truncated."""

    def __init__(
        self, upstreams: Upstreams, authority: Authority, signer: Signer, own_answers: OwnAnswers, via: bytes
    ) -> None:
        self._upstreams, self._authority, self._signer = upstreams, authority, signer
        self._own_answers, self._via = own_answers, via

    async def both(self, exchange: Exchange, plain: bool = False) -> tuple[Reading, Reading]:
        """The answer of the monolith, then that of the new end; `plain`: without content coding.

        In this order, reading after reading, each answer of the new end lies between two of the monolith's: when those
        two are equal, no write explains a difference.
        """
        legacy = await self._call(exchange, exchange.route.legacy, Side.LEGACY, plain)
        return legacy, await self.extracted(exchange, plain)

    async def extracted(self, exchange: Exchange, plain: bool = False) -> Reading:
        """The answer of the new end, or the gateway's own where it would refuse this caller."""
        service, auth = exchange.route.extracted, exchange.route.auth
        assert service is not None  # tap has looked
        found = self._authority.confirm(exchange, auth)
        identity = found if isinstance(found, Identity) else await found
        reply = refusal(auth, identity) if auth.enforce == "gateway" else None
        if reply is not None:
            fields, body = self._own_answers.undated(reply, exchange)
            return Reading(reply.status, fields, body)
        exchange.internal_token = self._signer.token(identity, service.name)
        return await self._call(exchange, service, Side.EXTRACTED, plain)

    async def _call(self, exchange: Exchange, service: Service, side: Side, plain: bool) -> Reading:
        rules = exchange.route.shadow
        assert rules is not None  # tap has looked
        exchange.patience_s = rules.timeout_s
        fields = _fields(request_head(exchange, service, side, self._via), plain)
        target = target_for(exchange, service, side).removeprefix(service.base_path)
        answer = await fetch(
            self._upstreams.pool(service),
            exchange.method,
            target,
            fields,
            timeout_s=rules.timeout_s,
            max_body=rules.max_body,
            keep_cut=True,
        )
        if answer.truncated:
            raise Truncated
        mapped = [_mapped(exchange, pair, service) for pair in answer.fields]
        return Reading(answer.status, mapped, answer.body, answer.cut)


def _fields(head: bytes, plain: bool) -> Fields:
    """The fields of a built head, marked as shadow's."""
    pairs = [(name, value) for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:-2])]
    if plain:
        pairs = [pair for pair in pairs if pair[0].lower() != b"accept-encoding"] + [(b"Accept-Encoding", b"identity")]
    return [*pairs, MARK]


def _mapped(exchange: Exchange, pair: tuple[bytes, bytes], service: Service) -> tuple[bytes, bytes]:
    name, value = pair
    return (name, map_reference(exchange, value, service)) if name.lower() in _MAPPED else pair
