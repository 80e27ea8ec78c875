"""Checks before a measurement that a design does its work."""

import http.client

from benchmarks.common.designs import Design
from benchmarks.common.load import Fields
from benchmarks.common.migration import SEEN, TARGET


def check_answer(design: Design, fields: Fields) -> None:
    """Raises RuntimeError if the proxy does not forward the upstream's answer."""
    status, body = _get(design, TARGET, fields)
    if status != 200 or len(body) != 1024:
        raise RuntimeError(f"{design.name} answered {TARGET} with {status} and {len(body)} bytes, wanted 200 and 1024")


def check_steps(design: Design, fields: Fields) -> None:
    """Raises RuntimeError if the gateway has not replaced the caller's token with its own."""
    status, body = _get(design, SEEN, fields)
    seen = {name.lower(): value for name, _, value in (line.partition(b": ") for line in body.splitlines())}
    token = seen.get(b"authorization", b"")
    if status != 200 or not token.startswith(b"Bearer ") or token.decode() == dict(fields)["Authorization"]:
        raise RuntimeError(f"{design.name}: the service did not get an internal token; {status}, it saw {sorted(seen)}")


def _get(design: Design, target: str, fields: Fields) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", design.port, timeout=10)
    try:
        connection.request("GET", target, headers=dict(fields))
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
