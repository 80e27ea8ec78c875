"""The outer form of every answer: which routes take what, and what stands around it."""

import json
from collections.abc import Mapping

import pytest
from starlette.types import ASGIApp, Message, Scope

from extracted.wire.application import ApiRequest, ApiRoute, application, failure
from extracted.wire.responses import ApiResponse, Listing, many, one


async def echo(call: ApiRequest) -> ApiResponse:
    return one([*call.variables, call.query])


async def nothing(_call: ApiRequest) -> ApiResponse:
    return ApiResponse(204, b'{"metadata":{}}')


async def created(_call: ApiRequest) -> ApiResponse:
    return one({"id": 1}, status=201)


ROUTES = (
    ApiRoute("GET", "/thing/{id}", echo),
    ApiRoute("GET", "/thing/{id}/part/{name}", echo),
    ApiRoute("POST", "/thing.x", created),
    ApiRoute("DELETE", "/thing/{id}", nothing),
)


IN_PRODUCTION = application(ROUTES, production=True)


class Sent:
    """What the application sent."""

    def __init__(self, messages: list[Message]) -> None:
        start, *rest = messages
        self.status = start["status"]
        self.headers = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        self.body = b"".join(message["body"] for message in rest)

    @property
    def data(self) -> object:
        return json.loads(self.body)["data"]


async def ask(
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    *,
    app: ASGIApp = IN_PRODUCTION,
    body: bytes = b"",
) -> Sent:
    path, _, query = target.partition("?")
    pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "headers": pairs,
    }
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    return Sent(messages)


async def test_variables_are_decoded_in_their_order_and_a_dot_is_a_dot() -> None:
    assert (await ask("GET", "/Thing/a%2Fb/PART/%C3%A9+/?x[]=1")).data == ["a/b", "é+", {"x": ["1"]}]
    assert ((await ask("POST", "/thing.x")).status, (await ask("POST", "/thingyx")).status) == (201, 404)


@pytest.mark.parametrize(
    ("method", "target"),
    [("PUT", "/thing/1"), ("HEAD", "/thing.x"), ("GET", "/thing.x"), ("get", "/thing/1"), ("GET", "/thing/1//")],
)
async def test_what_no_route_takes_is_404_with_method_and_target(method: str, target: str) -> None:
    sent = await ask(method, f"{target}?a=\xe9%zz")
    if method == "HEAD":
        assert (sent.status, sent.body) == (404, b"")
    else:
        assert json.loads(sent.body)["message"] == f"Cannot {method} {target}?a=\xe9%zz"


async def test_a_body_is_refused_before_the_path_and_the_path_before_the_method() -> None:
    for method in ("GET", "PUT"):
        sent = await ask(method, "/thing/1/part/%zz")
        assert (sent.status, json.loads(sent.body)["message"]) == (400, "Failed to decode param '%zz'")
    bad = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    for target in ("/thing.x", "/nope", "/thing/1/part/%zz"):
        sent = await ask("POST", target, bad, body=b"{bad")
        assert (sent.status, json.loads(sent.body)["message"]) == (400, "Unexpected token b in JSON at position 1")
        assert (await ask("OPTIONS", target, bad, body=b"{bad")).status == 204


async def test_no_content_has_an_etag_and_neither_type_nor_length() -> None:
    sent = await ask("DELETE", "/thing/1")
    assert (sent.status, sent.body, sent.headers["etag"]) == (204, b"", 'W/"f-FhybheC8mawp2UCOojQu9N3AsX8"')
    assert not {"content-type", "content-length"} & sent.headers.keys()


async def test_only_reads_that_went_well_are_compared_with_the_clients_copy() -> None:
    copy = {"If-None-Match": "*"}
    tag = (await ask("GET", "/thing/1")).headers["etag"]
    for known in (copy, {"If-None-Match": f'"x", {tag}'}):
        statuses = [(await ask(method, "/thing/1", known)).status for method in ("GET", "HEAD")]
        assert statuses == [304, 304]
    assert (await ask("GET", "/thing/2", {"If-None-Match": tag})).status == 200
    others = [("POST", "/thing.x"), ("DELETE", "/thing/1"), ("GET", "/nope")]
    assert [(await ask(*request, headers=copy)).status for request in others] == [201, 204, 404]


async def test_where_a_handler_raised_failure_answers_in_the_same_form() -> None:
    sent = await ask("GET", "/thing/1", {"Origin": "https://a.example"}, app=failure(production=True))
    assert (sent.status, sent.body) == (500, b'{"statusCode":500,"message":"Internal server error"}')
    assert sent.headers["access-control-allow-origin"] == "https://a.example"


def test_a_list_tells_only_what_its_route_has() -> None:
    assert many([], Listing()).body == b'{"metadata":{"count":0},"data":[]}'
    assert many([1], Listing({"page": 1})).body == b'{"metadata":{"count":1,"pagination":{"page":1}},"data":[1]}'
    assert many([], Listing(order_by={}, filters={})).body == (
        b'{"metadata":{"count":0,"order-by":{"keys":{}},"filter":{"keys":{}}},"data":[]}'
    )
