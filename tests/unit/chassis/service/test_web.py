"""A service's web application: health, errors in one place, and whom an internal token names."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from chassis import deadline
from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity, IdentityUnavailable
from chassis.auth.tokens import TokenVerifier
from chassis.service import web
from chassis.service.readiness import read, unserved
from strangler_gateway.identity.signer import Signer

USER = Identity(AuthenticationOutcome.USER, "u1", ("guest", "user"))


async def routes(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/raises":
        raise LookupError("nobody expected this")
    if scope["path"] == "/works":
        await PlainTextResponse("begun" if work_begins() else "")(scope, receive, send)
        return
    if scope["path"] == "/raises-late":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise LookupError("nobody expected this either")
    await PlainTextResponse(f"{scope['method']} {scope['path']}")(scope, receive, send)


def work_begins() -> bool:
    deadline.begin()
    return True


async def failure(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("odd", status_code=500)(scope, receive, send)


class Part:
    """Something that the service cannot do without."""

    away: Exception | None = None
    opened = closed = False

    async def ping(self) -> None:
        if self.away:
            raise self.away

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        self.opened = True
        yield
        self.closed = True


@pytest.fixture
def part() -> Part:
    return Part()


@pytest.fixture
async def client(part: Part) -> AsyncIterator[httpx.AsyncClient]:
    app = web.application(routes, failure=failure, ready=part.ping, lifespan=part.lifespan)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://thing") as client:
        yield client


async def test_live_says_that_the_loop_runs_and_ready_that_the_parts_are_there(
    client: httpx.AsyncClient, part: Part
) -> None:
    assert [(await client.get(f"/health/{kind}")).status_code for kind in ("live", "ready")] == [200, 200]
    part.away = ConnectionError("postgresql://user:tell-nobody@host")
    answers = [await client.get(f"/health/{kind}") for kind in ("live", "ready")]
    assert [answer.status_code for answer in answers] == [200, 503]
    assert "tell-nobody" not in answers[1].text


async def test_ready_lists_the_routes_that_these_settings_leave_out(part: Part) -> None:
    described = {"paths": {"/a": {"get": {}, "post": {}}, "/a/{id}": {"parameters": [], "get": {}, "delete": {}}}}
    lacking = unserved(json.dumps(described).encode(), [("GET", "/a"), ("DELETE", "/a/{key}")], "no broker")
    app = web.application(routes, failure=failure, ready=part.ping, lifespan=part.lifespan, unserved=lacking)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://thing") as client:
        answer = await client.get("/health/ready")
    assert answer.status_code == 200
    assert read(answer.content) == lacking
    assert [(one.method, one.path, one.reason) for one in lacking] == [
        ("POST", "/a", "no broker"),
        ("GET", "/a/{id}", "no broker"),
    ]


@pytest.mark.parametrize(("sent", "status"), [("0", 503), ("60000", 200), ("soon", 200), (None, 200)])
async def test_a_request_whose_deadline_has_passed_is_not_begun(
    client: httpx.AsyncClient, stream: io.StringIO, sent: str | None, status: int
) -> None:
    answer = await client.get("/works", headers={"Strangler-Timeout-Ms": sent} if sent else {})
    assert (answer.status_code, answer.text) == (status, "" if status == 503 else "begun")
    assert ("not_begun" in stream.getvalue()) == (status == 503)


async def test_a_request_whose_client_has_gone_while_it_waited_is_not_begun(part: Part) -> None:
    app = web.application(routes, failure=failure, ready=part.ping, lifespan=part.lifespan)
    calls = iter([False, True])
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/works",
        "headers": [],
        "state": {"is_gone": lambda: next(calls)},
    }
    sent: list[object] = []

    async def send(message: object) -> None:
        sent.append(message)

    await app(scope, send, send)  # type: ignore[arg-type]
    assert [message["status"] for message in sent if "status" in message] == [503]  # type: ignore[index, operator]


async def test_every_other_path_is_the_services(client: httpx.AsyncClient) -> None:
    for path in ("/", "/health", "/health/live/", "/a/b"):
        assert (await client.post(path)).text == f"POST {path}"


async def test_an_unexpected_error_is_logged_once_and_answered_by_failure(
    client: httpx.AsyncClient, stream: io.StringIO
) -> None:
    answer = await client.get("/raises", headers={"X-Request-Id": "r-1"})
    assert (answer.status_code, answer.text) == (500, "odd")
    (line,) = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (line["event"], line["request_id"], line["path"]) == ("unexpected_error", "r-1", "/raises")
    assert "nobody expected this" in line["exception"]


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 129, 'quote"d'])
async def test_an_odd_request_id_is_replaced(client: httpx.AsyncClient, stream: io.StringIO, request_id: str) -> None:
    await client.get("/raises", headers={"X-Request-Id": request_id})
    assert len(json.loads(stream.getvalue())["request_id"]) == 32


async def test_an_error_behind_the_head_is_logged_and_cuts_the_answer_off(part: Part, stream: io.StringIO) -> None:
    app = web.application(routes, failure=failure, ready=part.ping, lifespan=part.lifespan)
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://thing") as client:
        with pytest.raises(LookupError):
            await client.get("/raises-late")
    assert json.loads(stream.getvalue().splitlines()[0])["event"] == "unexpected_error"


async def test_what_the_service_holds_is_opened_and_closed(part: Part) -> None:
    app = web.application(routes, failure=failure, ready=part.ping, lifespan=part.lifespan)
    async with app.router.lifespan_context(app):
        assert (part.opened, part.closed) == (True, False)
    assert part.closed


@pytest.fixture
def signer() -> Signer:
    return Signer([ECKey.generate_key("P-256")])


async def test_a_caller_is_whom_the_internal_token_names(signer: Signer) -> None:
    verifier = TokenVerifier("thing", jwks=signer.jwks())
    for identity in (USER, NOBODY, Identity(AuthenticationOutcome.REJECTED)):
        fields = [(b"AUTHORIZATION", b"bearer " + signer.token(identity, "thing"))]
        known = await web.caller(fields, verifier)
        assert (known.outcome, known.subject, known.roles) == (identity.outcome, identity.subject, identity.roles)


async def test_two_authorization_lines_or_another_scheme_name_nobody(signer: Signer) -> None:
    verifier = TokenVerifier("thing", jwks=signer.jwks())
    token = signer.token(USER, "thing")
    line = (b"authorization", b"Bearer " + token)
    assert (await web.caller([line], verifier)).subject == "u1"
    for fields in ([line, line], [(b"authorization", b"Basic " + token)]):
        assert await web.caller(fields, verifier) is NOBODY


async def test_a_token_that_is_not_the_gateways_names_nobody(signer: Signer, stream: io.StringIO) -> None:
    verifier = TokenVerifier("thing", jwks=Signer([ECKey.generate_key("P-256")]).jwks())
    token = signer.token(USER, "thing")
    assert await web.caller([(b"authorization", b"Bearer " + token)], verifier) is NOBODY
    assert json.loads(stream.getvalue())["event"] == "internal_token_rejected"
    assert token.decode() not in stream.getvalue()


async def test_without_keys_nobody_can_be_told_apart(signer: Signer) -> None:
    verifier = TokenVerifier("thing", jwks_url="http://127.0.0.1:1/jwks.json")
    with pytest.raises(IdentityUnavailable):
        async with asyncio.timeout(60):
            await web.caller([(b"authorization", b"Bearer " + signer.token(USER, "thing"))], verifier)
    await verifier.aclose()
