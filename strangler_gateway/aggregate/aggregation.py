"""Answers one request with several calls, each made as soon as what it needs is known."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from strangler_gateway.aggregate.call_answer import ByteBudget, CallFailure, CallValue, failure_of, value_of
from strangler_gateway.aggregate.call_client import CallClient, Way
from strangler_gateway.aggregate.call_exchange import CallExchanges
from strangler_gateway.aggregate.composition import CallResult, composed
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.replies import Reply, ReplyContent
from strangler_gateway.http.request_head import BadRequest
from strangler_gateway.settings import Settings
from strangler_gateway.table.call_target import filled
from strangler_gateway.table.json_path import value_at
from strangler_gateway.table.rules.aggregate import EACH, IDENTITY, AggregateRules, CallRules, Reference
from strangler_gateway.telemetry.stats import Stats

MAX_BODY: Final = 64 * 1024
"""Bytes of a body that a GET may bring; nobody reads it."""
INLINE_BYTES: Final = 16 * 1024
"""Longer answers are read in a thread: the loop has other users to serve."""
_JSON = "application/json; charset=utf-8"
_NO_STORE = (b"Cache-Control", b"no-store")


class RequiredCallFailed(Exception):
    """Ends the request: all other calls are of no use."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.message)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Aggregates:
    """What all aggregates share. `done(exchange, now)` is called once at the end of each call."""

    way: Way
    done: Callable[[Exchange, float], None]
    settings: Settings
    stats: Stats
    now: Callable[[], float]

    def accept(self, exchange: Exchange, rules: AggregateRules) -> "Aggregation":
        """Takes a request whose new end is an aggregate."""
        return Aggregation(self, exchange, rules)


class Aggregation:
    """One request. Its calls are cancelled when its client leaves."""

    def __init__(self, shared: Aggregates, exchange: Exchange, rules: AggregateRules) -> None:
        self._shared, self._exchange, self._rules = shared, exchange, rules
        self._exchanges = CallExchanges(exchange, shared.settings)
        self._variables = dict(zip(exchange.route.variables, exchange.variables, strict=True))
        self._ends_at = shared.now() + rules.deadline_s
        self._budget = ByteBudget(rules.max_body)
        self._results: dict[str, CallResult] = {}
        self._ended = {call.name: asyncio.Event() for call in rules.calls}

    @property
    def limit(self) -> int:
        return MAX_BODY

    def too_long(self) -> Reply:
        return Reply(413, "http_request_error", f"The body is longer than {MAX_BODY} bytes.", close=True)

    async def answer(self, body: bytes) -> Reply:
        """The values of all calls; the refusal of a required one where that has failed."""
        refusals: list[Reply] = []
        try:
            async with asyncio.TaskGroup() as tasks:
                for call in self._rules.calls:
                    tasks.create_task(self._run(call))
        except* RequiredCallFailed as failed:
            refusals += [error.reply for error in failed.exceptions if isinstance(error, RequiredCallFailed)]
        if refusals:
            self._exchange.stage = b"aggregate" if refusals[0].status >= 500 else b""
            return refusals[0]
        text = composed(self._rules.answer, {call.name: self._results[call.name] for call in self._rules.calls})
        return Reply(200, "", "", (_NO_STORE,), content=ReplyContent(_JSON, text))

    async def _run(self, call: CallRules) -> None:
        """Raises RequiredCallFailed."""
        for name in call.after:
            await self._ended[name].wait()
        outcomes, of = await self._outcomes(call)
        self._results[call.name] = _single(call, outcomes[0]) if of is None else _several(call, outcomes, of)
        failure = next((one for one in outcomes if isinstance(one, CallFailure)), None)
        self._shared.stats.called(self._exchange.route.id, call.name, failure.reason if failure else "ok")
        if failure is not None and call.required:
            raise RequiredCallFailed(failure.reply)
        self._ended[call.name].set()

    async def _outcomes(self, call: CallRules) -> tuple[list[CallValue | CallFailure], int | None]:
        """What was made of it, and how many elements its list has; None: it is one call."""
        if not all(self._results[name].succeeded for name in call.after):
            return [failure_of(call.name, "not_called")], None
        values: dict[str, object] = {name: self._results[name].value for name in call.after}
        if call.each is None or call.each.path is None:
            return [await self._asked(call, values)], None
        elements = value_at(values[call.each.name], call.each.path)
        if not isinstance(elements, list):
            return [failure_of(call.name, "missing")], None
        async with asyncio.TaskGroup() as tasks:
            asked = [
                tasks.create_task(self._asked(call, {**values, EACH: element})) for element in elements[: call.at_most]
            ]
        return [task.result() for task in asked], len(elements)

    async def _asked(self, call: CallRules, values: Mapping[str, object]) -> CallValue | CallFailure:
        shared, identity = self._shared, self._exchange.identity
        subject = identity.subject if identity is not None else None
        target = filled(call, self._variables, {**values, IDENTITY: {"subject": subject}})
        if target is None:
            is_nobody = subject is None and _names_caller(call)
            return failure_of(call.name, "unauthenticated" if is_nobody else "missing")
        try:
            exchange = self._exchanges.begin(target, call.name, shared.now())
        except BadRequest:
            return failure_of(call.name, "missing")
        client = CallClient(exchange, call.max_body, self._budget)
        try:
            await client.ask(shared.way, min(call.timeout_s, max(self._ends_at - shared.now(), 0.0)))
        finally:
            shared.done(exchange, shared.now())
        return await self._taken(call, client)

    async def _taken(self, call: CallRules, client: CallClient) -> CallValue | CallFailure:
        self._keep_cookie(client.exchange)
        answer = client.answer()
        if len(client.body) <= INLINE_BYTES:
            return value_of(call, answer, self._budget)
        return await asyncio.to_thread(value_of, call, answer, self._budget)

    def _keep_cookie(self, call: Exchange) -> None:
        """A canary's new cookie reaches the client, one for all calls."""
        kept = self._exchange.extra_fields
        if call.extra_fields and not any(name == b"Set-Cookie" for name, _ in kept):
            cookies = [field for field in call.extra_fields if field[0] == b"Set-Cookie"]
            self._exchange.extra_fields += tuple(cookies[:1])


def _names_caller(call: CallRules) -> bool:
    return any(isinstance(piece, Reference) and piece.name == IDENTITY for piece in call.target)


def _single(call: CallRules, outcome: CallValue | CallFailure) -> CallResult:
    if isinstance(outcome, CallValue):
        return CallResult(outcome.json)
    return CallResult(json.loads(call.fallback), outcome.mark, succeeded=False)


def _several(call: CallRules, outcomes: list[CallValue | CallFailure], of: int) -> CallResult:
    """A list with null for each call that has failed."""
    failed = [{"index": at, **one.mark} for at, one in enumerate(outcomes) if isinstance(one, CallFailure)]
    mark: dict[str, object] = {"failed": failed} if failed else {}
    if of > len(outcomes):
        mark["truncated"] = {"of": of, "taken": len(outcomes)}
    return CallResult([one.json if isinstance(one, CallValue) else None for one in outcomes], mark)
