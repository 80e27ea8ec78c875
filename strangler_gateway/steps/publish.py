"""Step: a request whose new end is a message is read whole, published, and answered with the consumer's outcome."""

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Outcome
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.publish.body import Unpublishable
from strangler_gateway.publish.publisher import RequestPublisher
from strangler_gateway.steps.whole_request import WholeRequest


class Publish:
    """Takes what decide has made a message; all else goes on to forward."""

    def __init__(self, publisher: RequestPublisher) -> None:
        self._publisher = publisher

    def run(self, exchange: Exchange) -> Outcome:
        """Refuses what its head alone makes impossible before the body is read."""
        if exchange.publish is None:
            return None
        try:
            return WholeRequest(exchange, self._publisher.accept(exchange, exchange.publish))
        except Unpublishable as exc:
            challenge = ((b"WWW-Authenticate", b"Bearer"),) if exc.status == 401 else ()  # RFC 9110 §15.5.2
            return Reply(exc.status, "http_request_error", exc.message, challenge)
