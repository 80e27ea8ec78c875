"""Step: which route takes the request; a preflight follows the route of the method that it asks for."""

import re

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Outcome
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.http.fields import Kind
from strangler_gateway.table.current_table import CurrentTable

_AMBIGUOUS = re.compile(rb"(?i)%2f|%5c|%00|\\|(?:^|/)(?:\.|%2e){1,2}(?:/|$)")
_NOT_FINAL = frozenset((b"OPTIONS", b"TRACE"))
_ECHO_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


class Match:
    """Sets table, route and variables from the table that is current now."""

    def __init__(self, current: CurrentTable) -> None:
        self._current = current

    def run(self, exchange: Exchange) -> Outcome:
        """Ends requests that the route does not take: too long a body, an ambiguous path, no hop left."""
        matcher, matched = self._current.matcher, exchange.memory.matched
        exchange.table = matcher.table
        head = exchange.head
        if matched is not None and matched[0] is matcher and matched[1] is head.meaning and matched[2] == head.path:
            exchange.route, exchange.variables = matched[3], matched[4]
            return None
        route, variables = exchange.route, exchange.variables = matcher.match(_routed_method(exchange), head.path)
        length = head.meaning.length
        if route.max_body is not None and length is not None and length > route.max_body:
            return Reply(413, "http_request_error", f"The body is longer than {route.max_body} bytes.", close=True)
        if route.ambiguous == "reject" and _AMBIGUOUS.search(head.path):
            return Reply(400, "http_request_error", "The path can be read in more than one way.")
        if exchange.method in _NOT_FINAL:
            return _last_hop(exchange)
        exchange.memory.matched = matcher, head.meaning, head.path, route, variables
        return None


def _routed_method(exchange: Exchange) -> bytes:
    if exchange.method != b"OPTIONS":
        return exchange.method
    asked = (value for name, value in exchange.fields if name.lower() == b"access-control-request-method")
    return next(asked, exchange.method)


def _last_hop(exchange: Exchange) -> Outcome:
    """RFC 9110 §7.6.2: with no hop left the gateway is the final recipient."""
    marks = (exchange.fields[index][1] for kind, index in exchange.head.meaning.marks if kind == Kind.MAX_FORWARDS)
    if not re.fullmatch(rb"0+", next(marks, b"").strip()):
        return None
    if exchange.method == b"OPTIONS":
        return Reply(
            200, "", "Max-Forwards is 0: the request ends at the gateway.", ((b"Allow", _ECHO_METHODS + b", TRACE"),)
        )
    return Reply(405, "http_request_error", "The gateway does not echo requests.", ((b"Allow", _ECHO_METHODS),))
