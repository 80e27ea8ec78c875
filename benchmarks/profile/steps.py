"""What each piece of a request costs, alone: `python -m benchmarks.profile.steps`. us, the best of several repeats.

A connection repeats its requests, and what is remembered of them is used, where a line does not say otherwise.

The whole is dearer than its pieces: system calls, the loop and cold caches are not in here (see `benchmarks.profile`).
"""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Self

from benchmarks.common.migration import KEY_ENV, TARGET, new_caller, routes_yaml
from benchmarks.profile.whole import Passage, collections_for_each, cost_us
from strangler_gateway.config.file import load
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.head_memory import HeadMemory
from strangler_gateway.gateway import Gateway, Outside
from strangler_gateway.http.request_head import RequestHead, parse_request
from strangler_gateway.http.response_head import parse_response
from strangler_gateway.identity.signer import ephemeral_signer
from strangler_gateway.settings import Settings
from strangler_gateway.steps.forward import Relay
from strangler_gateway.steps.pipeline import Step
from strangler_gateway.table.routes import Side
from strangler_gateway.telemetry.access_log import AccessLog
from strangler_gateway.upstream.heads.back import response_lines
from strangler_gateway.upstream.heads.out import request_head

_RESPONSE = b"""HTTP/1.1 200 OK\r
Server: nginx/1.22.1\r
Date: Tue, 24 Nov 2026 14:14:14 GMT\r
Content-Type: application/json\r
Content-Length: 1024\r
Last-Modified: Tue, 24 Nov 2026 14:14:14 GMT\r
Connection: keep-alive\r
ETag: "6744-400"\r
Accept-Ranges: bytes\r
\r
"""
_BROWSER = """Connection: keep-alive\r
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36\r
Accept: application/json, text/plain, */*\r
Origin: http://localhost:3000\r
Referer: http://localhost:3000/\r
Accept-Encoding: gzip, deflate, br\r
Accept-Language: en-GB,en;q=0.9\r
"""
_CONNECTIONS = 32


class Bench:
    """A gateway with the benchmark's table, and one exchange that has been through all its steps."""

    def __init__(self) -> None:
        caller = new_caller()
        os.environ[KEY_ENV] = caller.key
        table = load(routes_yaml(1, 2), os.environ)
        self._log_file = Path(os.devnull).open("wb")  # noqa: SIM115  # closed by __exit__
        log = AccessLog(self._log_file)
        self.gateway = Gateway(Settings.model_validate({}), table, Outside(log, ephemeral_signer()))
        self.small = self._request("", caller.token)
        self.browser = self._request(_BROWSER, caller.token)
        self.x = self.exchange()
        assert isinstance(self.gateway.front.pipeline.run(self.x), Relay)
        assert self.x.internal_token is not None
        self.x.status = 200

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log_file.close()

    def _request(self, more: str, token: str) -> bytes:
        return f"GET {TARGET} HTTP/1.1\r\nHost: localhost:8080\r\n{more}Authorization: Bearer {token}\r\n\r\n".encode()

    def parse(self, head: bytes) -> RequestHead:
        return parse_request(head, 16384, 65536, 200)

    def exchange(self) -> Exchange:
        return new_exchange(self.gateway, self.parse(self.small), HeadMemory())


def costs(bench: Bench, number: int = 5000) -> Iterator[tuple[str, float]]:
    """Piece and us, in the order of a request."""
    gateway, x = bench.gateway, bench.x
    yield "parse a request of wrk (2 fields)", cost_us(lambda: bench.parse(bench.small), number)
    yield "parse a request of a browser (9 fields)", cost_us(lambda: bench.parse(bench.browser), number)
    yield "make the exchange", cost_us(lambda: new_exchange(gateway, x.head, x.memory), number)
    steps = {type(step).__name__: step for step in gateway.steps}
    for name, step in steps.items():
        yield f"step {name}", cost_us(partial(_anew, x, step), number)
    yield "step Match, for other bytes", cost_us(lambda: _forgetting(x, steps["Match"]), number)
    yield "step Identify, for other fields", cost_us(lambda: _forgetting(x, steps["Identify"]), number)
    yield "build the request's head", cost_us(lambda: request_head(x, x.service, Side.EXTRACTED, gateway.via), number)
    response = parse_response(_RESPONSE, b"GET")
    yield "parse a response of nginx (8 fields)", cost_us(lambda: parse_response(_RESPONSE, b"GET"), number)
    yield "choose the response's lines", cost_us(lambda: response_lines(x, response, x.service, False), number)
    yield "count and log", cost_us(lambda: gateway.front.done(x, gateway.front.now()), number)


def new_exchange(gateway: Gateway, head: RequestHead, memory: HeadMemory) -> Exchange:
    front = gateway.front
    return Exchange(head, memory, front.current.table, "127.0.0.1", b"http", front.now())


def _anew(x: Exchange, step: Step) -> None:
    x.extra_fields = ()  # of the time before
    step.run(x)


def _forgetting(x: Exchange, step: Step) -> None:
    x.memory.matched = x.memory.identified = None
    step.run(x)


def _varied(message: bytes) -> list[bytes]:
    """The message with one field more, of seven values."""
    return [message.replace(b"\r\n", b"\r\nX-Varied: %d\r\n" % number, 1) for number in range(7)]


def whole(bench: Bench) -> Iterator[tuple[str, float]]:
    lane = Passage(bench.gateway, bench.x.service, _RESPONSE + bytes(1024), _CONNECTIONS)
    to_upstream, to_client = lane.exchange(bench.small)
    assert to_upstream.startswith(b"GET /item/4711 HTTP/1.1\r\n")
    assert to_client.startswith(b"HTTP/1.1 200 OK\r\n")
    yield "whole request of wrk without sockets", lane.cost_us(bench.small)
    yield "whole request of a browser", lane.cost_us(bench.browser)
    requests, responses = _varied(bench.browser), _varied(_RESPONSE + bytes(1024))
    yield "the same, the answer another each time", lane.varied_cost_us([bench.browser] * 7, responses)
    yield "the same, the request's fields, too", lane.varied_cost_us(requests, responses)
    yield (
        "(objects in cycles that it leaves behind)",
        collections_for_each(lambda: lane.exchange(bench.small), 500) / _CONNECTIONS,
    )


def main() -> None:
    with Bench() as bench:
        for piece, us in (*costs(bench), *whole(bench)):
            print(f"{us:6.2f} us  {piece}")


if __name__ == "__main__":
    main()
