"""The provider `introspect`: the monolith says who it is."""

import asyncio
import inspect
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Fields, Identity, IdentityUnavailable
from strangler_gateway.identity.introspect import IntrospectProvider
from strangler_gateway.identity.rules import IdentityRulesInvalid, IntrospectOptions
from tests.support.gateway.exchanges import Clock
from tests.support.origins import Answer, Origin, Request, origin, until

CREDENTIAL = [(b"Host", b"shop.example"), (b"Authorization", b"Bearer alice"), (b"X-Other", b"1")]


class Monolith:
    """Answers who it is; `answer` as the test says, once `wait` is set."""

    def __init__(self) -> None:
        self.answer = Answer(200, b'{"data": {"id": "alice", "roles": ["user"]}}')
        self.wait = asyncio.Event()
        self.wait.set()

    async def __call__(self, request: Request) -> Answer:
        await self.wait.wait()
        return self.answer


@pytest.fixture
def monolith() -> Monolith:
    return Monolith()


@pytest.fixture
async def served(monolith: Monolith) -> AsyncIterator[Origin]:
    async with origin(monolith) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


def options(served: Origin, **changes: Any) -> IntrospectOptions:
    given = {
        "url": f"{served.url}/user/@me",
        "forward": ["authorization"],
        "user": "$.data.id",
        "roles": "$.data.roles",
    }
    return IntrospectOptions(**given | changes)


@pytest.fixture
async def provider(served: Origin, clock: Clock) -> AsyncIterator[IntrospectProvider]:
    made = IntrospectProvider(options(served), clock)
    yield made
    await made.aclose()


async def who(provider: IntrospectProvider, fields: Fields = CREDENTIAL) -> Identity:
    answer = provider.identify(fields)
    return answer if isinstance(answer, Identity) else await answer


async def test_the_monolith_names_user_and_roles_and_gets_the_chosen_headers_alone(
    provider: IntrospectProvider, served: Origin
) -> None:
    identity = await who(provider)
    assert (identity.outcome, identity.subject, identity.roles) == (AuthenticationOutcome.USER, "alice", ("user",))
    [request] = served.requests
    assert (request.method, request.target) == (b"GET", b"/user/@me")
    assert request.fields[b"authorization"] == b"Bearer alice"
    assert (b"x-other" in request.fields, request.fields[b"host"] == b"shop.example") == (False, False)


async def test_without_a_credential_nobody_is_asked(provider: IntrospectProvider, served: Origin) -> None:
    assert provider.identify([(b"X-Other", b"1")]) is NOBODY
    assert served.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        *(Answer(status, b"{}", ((b"Location", b"/login"),)) for status in (401, 403, 302)),
        *(Answer(200, body) for body in (b"{}", b"null", b"[]", b'{"data": {"id": null}}', b'{"data": {"id": ""}}')),
    ],
)
async def test_a_credential_that_the_monolith_refuses_or_has_no_user_for_is_rejected(
    provider: IntrospectProvider, monolith: Monolith, answer: Answer
) -> None:
    monolith.answer = answer
    assert (await who(provider)).outcome is AuthenticationOutcome.REJECTED


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500),
        Answer(404),
        Answer(429),
        Answer(200, b"<html>"),
        Answer(200, b"[" * 50_000),
        Answer(200, b'{"data": {"id": "alice"}}' + b" " * 70_000),
    ],
)
async def test_any_other_answer_makes_the_identity_unavailable(
    provider: IntrospectProvider, monolith: Monolith, answer: Answer
) -> None:
    monolith.answer = answer
    with pytest.raises(IdentityUnavailable) as away:
        await who(provider)
    assert "Bearer" not in str(away.value)


async def test_a_monolith_that_is_down_makes_the_identity_unavailable() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/me"
        provider = IntrospectProvider(IntrospectOptions(url, ["authorization"]))
        with pytest.raises(IdentityUnavailable):
            await who(provider)
        await provider.aclose()


async def test_a_monolith_that_hangs_is_given_up(served: Origin, monolith: Monolith) -> None:
    monolith.wait.clear()
    provider = IntrospectProvider(options(served, timeout_s=0.05))
    with pytest.raises(IdentityUnavailable):
        await who(provider)
    await provider.aclose()


async def test_a_user_is_remembered_for_a_while(provider: IntrospectProvider, served: Origin, clock: Clock) -> None:
    first = await who(provider)
    assert provider.identify(CREDENTIAL) is first
    clock.now += 5
    asked = provider.identify(CREDENTIAL)
    assert inspect.iscoroutine(asked)
    await asked
    assert len(served.requests) == 2


async def test_a_refusal_is_not_remembered(provider: IntrospectProvider, monolith: Monolith, served: Origin) -> None:
    granted = monolith.answer
    monolith.answer = Answer(401)
    await who(provider)
    monolith.answer = granted
    assert (await who(provider)).subject == "alice"


async def test_confirming_asks_again_and_a_refusal_ends_what_was_remembered(
    provider: IntrospectProvider, monolith: Monolith
) -> None:
    identity = await who(provider)
    monolith.answer = Answer(401)
    confirmed = await provider.confirm(identity, CREDENTIAL)
    assert confirmed.outcome is AuthenticationOutcome.REJECTED
    assert (await who(provider)).outcome is AuthenticationOutcome.REJECTED


async def test_one_question_serves_all_who_wait_with_the_same_credential(
    provider: IntrospectProvider, monolith: Monolith, served: Origin
) -> None:
    monolith.wait.clear()
    waiting = [asyncio.create_task(who(provider)) for _ in range(20)]
    await until(lambda: len(served.requests) == 1)
    waiting[0].cancel()
    monolith.wait.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert {answer.subject for answer in answers[1:] if isinstance(answer, Identity)} == {"alice"}
    assert len(served.requests) == 1


async def test_different_credentials_are_never_taken_for_one_another(served: Origin, monolith: Monolith) -> None:
    async def by_credential(request: Request) -> Answer:
        return Answer(200, json.dumps({"data": {"id": request.fields[b"authorization"].decode()}}).encode())

    async with origin(by_credential) as mirror:
        provider = IntrospectProvider(options(mirror))
        users = [f"user{n}" for n in range(30)]
        asked = [who(provider, [(b"authorization", user.encode())]) for user in users]
        assert [identity.subject for identity in await asyncio.gather(*asked)] == users
        await provider.aclose()


async def test_no_cookie_is_kept_for_the_next_user(
    provider: IntrospectProvider, monolith: Monolith, served: Origin
) -> None:
    monolith.answer.fields += ((b"Set-Cookie", b"session=alice; Path=/"),)
    await who(provider)
    await who(provider, [(b"Authorization", b"Bearer bob")])
    assert len(served.requests) == 2
    assert b"cookie" not in served.requests[1].fields


async def test_of_the_cookies_only_the_named_ones_go_there_and_count(served: Origin) -> None:
    provider = IntrospectProvider(options(served, forward=["cookie"], cookies=["sid"]))
    first = await who(provider, [(b"Cookie", b"tracking=1; sid=abc")])
    assert provider.identify([(b"Cookie", b"sid=abc; tracking=2")]) is first
    assert provider.identify([(b"Cookie", b"tracking=2")]) is NOBODY
    assert served.requests[0].fields[b"cookie"] == b"sid=abc"
    await provider.aclose()


async def test_the_environments_proxies_are_not_used(
    served: Origin, provider: IntrospectProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    made = IntrospectProvider(options(served))
    assert (await who(made)).subject == "alice"
    await made.aclose()


async def test_closing_lets_those_who_wait_go(served: Origin, monolith: Monolith) -> None:
    monolith.wait.clear()
    provider = IntrospectProvider(options(served))
    waiting = asyncio.create_task(who(provider))
    await until(lambda: len(served.requests) == 1)
    await provider.aclose()
    with pytest.raises(IdentityUnavailable):
        await waiting
    with pytest.raises(IdentityUnavailable):
        await who(provider)


@pytest.mark.parametrize("forward", [[], ["Host"], ["authorization", "Content-Length"]])
def test_headers_that_make_no_credential_are_not_forwarded(forward: list[str]) -> None:
    with pytest.raises(IdentityRulesInvalid, match="forward"):
        IntrospectProvider(IntrospectOptions("http://127.0.0.1:1", forward))
