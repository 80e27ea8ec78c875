"""Step: a request whose new end is an aggregate is answered with its calls, which go this same way."""

from strangler_gateway.aggregate.aggregation import Aggregates
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Outcome
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.steps.whole_request import WholeRequest

FIRST_OF_CALL = 1
"""The step where a call begins: all but observe, which reads what only a client's own request says."""
_NO_CALL = Reply(502, "proxy_loop_detected", "A call of an aggregate cannot end at another aggregate.")


class Aggregate:
    """Takes what decide has made an aggregate; all else goes on to forward."""

    def __init__(self, aggregates: Aggregates) -> None:
        self._aggregates = aggregates

    def run(self, exchange: Exchange) -> Outcome:
        """Refuses a call of another aggregate: there is no loop."""
        if exchange.aggregate is None:
            return None
        if exchange.called_by:
            return _NO_CALL
        return WholeRequest(exchange, self._aggregates.accept(exchange, exchange.aggregate))
