"""The way of a request: all its steps in one list, run in order."""

from collections.abc import Sequence
from typing import Protocol

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Handler, Outcome
from strangler_gateway.exchange.replies import Reply


class Step(Protocol):
    """One step. It writes its own fields of the exchange and reads only earlier ones."""

    def run(self, exchange: Exchange, /) -> Outcome: ...


class Pipeline:
    """The last step ends every request: it returns a handler or a reply."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = tuple([step.run for step in steps])

    def run(self, exchange: Exchange) -> Outcome:
        """Runs the steps until one ends the request or has to wait; exchange.step is where to go on then."""
        steps = self._steps[exchange.step :] if exchange.step else self._steps
        for step in steps:
            outcome = step(exchange)
            if outcome is not None:
                exchange.step += steps.index(step) + 1
                return outcome
        raise RuntimeError("no step has ended the request")

    async def resume(self, exchange: Exchange, outcome: Outcome) -> Reply | Handler:
        """Awaits what a step waits for, and goes on behind it, until the request is ended or taken."""
        while not isinstance(outcome, Reply | Handler):
            answer = await outcome if outcome is not None else None
            outcome = answer if answer is not None else self.run(exchange)
        return outcome
