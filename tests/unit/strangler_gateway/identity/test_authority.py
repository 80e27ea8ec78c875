"""Several providers: the first that knows the user decides, and one that is away breaks no other's tokens."""

import inspect
import itertools
from typing import Any

import pytest

from chassis.auth.claims import NOBODY, Fields, Identity, IdentityUnavailable
from strangler_gateway.identity.authority import Authority
from strangler_gateway.identity.jwt import JwtProvider
from strangler_gateway.identity.providers import source_of
from strangler_gateway.identity.rules import IdentityRulesInvalid, JwtOptions
from strangler_gateway.steps.identify import Identify
from strangler_gateway.table.routes import Auth, IdentityRules, MigrationState
from strangler_gateway.telemetry.log_throttle import LogThrottle
from tests.support.gateway.exchanges import (
    ALICE,
    REJECTED,
    LaterProvider,
    Provider,
    asking,
    changed,
    exchange,
    gateway_for,
    known_as,
    route,
    signer,
    step,
)
from tests.support.origins import Answer, origin
from tests.unit.chassis.auth.forged import hmac_signed, part, unsigned

BOB = changed(subject="bob", credential=b"bob's digest")
AWAY = IdentityUnavailable("the store is away")
KINDS = list(itertools.product([Provider, LaterProvider], repeat=2))


def authority(*providers: Any) -> Authority:
    made = Authority((), signer(), LogThrottle())
    made.sources = tuple(source_of(provider) for provider in providers)
    return made


async def identified(asked: Authority, fields: Fields = ()) -> tuple[Identity, object]:
    answer = asked.identify(fields)
    return answer if isinstance(answer, tuple) else await answer


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize(
    ("first", "second", "who", "decided"),
    [
        (ALICE, BOB, ALICE, 0),
        (ALICE, AWAY, ALICE, 0),
        (REJECTED, BOB, BOB, 1),
        (NOBODY, BOB, BOB, 1),
        (AWAY, BOB, BOB, 1),
        (KeyError("a fault of the plugin"), BOB, BOB, 1),
        (REJECTED, NOBODY, REJECTED, None),
        (NOBODY, REJECTED, REJECTED, None),
        (NOBODY, NOBODY, NOBODY, None),
        (AWAY, REJECTED, AWAY, None),
        (REJECTED, AWAY, AWAY, None),
        (AWAY, NOBODY, AWAY, None),
    ],
)
async def test_the_first_that_knows_the_user_decides(
    kinds: tuple[type[Provider], type[Provider]],
    first: Identity | Exception,
    second: Identity | Exception,
    who: Identity | Exception,
    decided: int | None,
) -> None:
    providers = [kind(known) for kind, known in zip(kinds, (first, second), strict=True)]
    asked = authority(*providers)
    if isinstance(who, Exception):
        with pytest.raises(IdentityUnavailable):
            await identified(asked)
        return
    assert await identified(asked) == (who, None if decided is None else providers[decided])
    assert providers[1].asked == (0 if decided == 0 else 1)


async def test_the_one_that_knows_the_user_confirms() -> None:
    first, second = Provider(REJECTED), Provider(BOB)
    gateway = gateway_for(route(MigrationState.EXTRACTED))
    asking(gateway, first, second)
    x = exchange(gateway)
    step(gateway, Identify, x)
    assert gateway.authority.confirm(x, Auth()) == BOB
    assert (first.confirmed, second.confirmed) == (0, 1)
    assert gateway.authority.confirm(x, Auth()) == BOB
    assert second.confirmed == 1  # the grant is kept
    known_as(gateway, x, REJECTED)
    assert gateway.authority.confirm(x, Auth()) is REJECTED


NOT_OURS = {
    "the monolith's": hmac_signed({"iss": "https://id.example", "sub": "a", "exp": 2**40}, b"secret"),
    "unsigned": unsigned({"iss": "https://id.example", "sub": "a"}),
    "another algorithm": part({"alg": "ES256", "kid": "x"}) + b"." + part({"iss": "https://id.example"}) + b".x",
    "another issuer": part({"alg": "RS256", "kid": "x"}) + b"." + part({"iss": "https://id.example/other"}) + b".x",
    "no issuer": part({"alg": "RS256", "kid": "x"}) + b"." + part({}) + b".x",
    "claims that cannot be read": part({"alg": "RS256", "kid": "x"}) + b"." + part(b"[" * 9_000) + b".x",
    "opaque": b"0123456789abcdef",
    "of 64 KiB": part({"alg": "RS256"}) + b"." + part({"iss": "https://id.example", "x": "y" * 65_536}) + b".x",
}


@pytest.mark.parametrize("name", NOT_OURS)
async def test_a_token_that_is_another_providers_makes_nobody_read_keys(name: str) -> None:
    async with origin(lambda request: Answer(500)) as served:
        options = JwtOptions(["RS256"], jwks_url=f"{served.url}/jwks", issuer="https://id.example")
        tokens, plugin = JwtProvider(options), Provider(BOB)
        asked = authority(tokens, plugin)
        answer = asked.identify([(b"Authorization", b"Bearer " + NOT_OURS[name])])
        assert not inspect.isawaitable(answer)
        assert (answer, served.requests) == ((BOB, plugin), [])
        await asked.aclose()


class Closing(Provider):
    """Counts how often it is closed."""

    made: list["Closing"]
    closed = 0

    async def aclose(self) -> None:
        self.closed += 1


def make_closing() -> Closing:
    provider = Closing()
    Closing.made.append(provider)
    return provider


def plugin(factory: str) -> IdentityRules:
    return IdentityRules("plugin", plugin=f"{__name__}:{factory}")


def make_another() -> Closing:
    return make_closing()


async def test_another_file_keeps_the_providers_whose_entries_have_not_changed() -> None:
    Closing.made = []
    one, two = plugin("make_closing"), plugin("make_another")
    served = Authority((one,), signer(), LogThrottle())
    [source] = served.sources
    source.grants.put(ALICE, ALICE, source.grants.now())
    served.adopt((two, one))
    assert (served.sources[1], len(Closing.made)) == (source, 2)
    assert served.sources[1].grants.get(ALICE) is ALICE
    with pytest.raises(IdentityRulesInvalid):
        served.adopt((one, two, plugin("make_nothing")))
    assert [each.rules for each in served.sources] == [two, one]
    served.adopt((two,))
    assert [each.rules for each in served.sources] == [two]
    await served.aclose()
    assert [provider.closed for provider in Closing.made] == [1, 1]


def test_what_a_connection_remembers_rests_on_all_that_were_asked() -> None:
    """An earlier provider may look at another field than the one that knew the user."""

    class Lasting(Provider):
        lasting = by_authorization = True

    class ByKey(Provider):
        lasting = True

        def identify(self, fields: Fields) -> Identity:
            self.asked += 1
            return changed(subject="key", expires_at=1e12) if (b"X-Key", b"1") in fields else NOBODY

    gateway = gateway_for(route(MigrationState.EXTRACTED))
    asking(gateway, ByKey(), Lasting(changed(expires_at=1e12)))
    known = exchange(gateway, {"Authorization": "Bearer a", "X-Key": "0"})
    step(gateway, Identify, known)
    other = exchange(gateway, {"Authorization": "Bearer a", "X-Key": "1"})
    other.memory, other.head.meaning = known.memory, known.head.meaning  # as of a head that repeats it
    step(gateway, Identify, other)
    assert (known.identity and known.identity.subject, other.identity and other.identity.subject) == ("alice", "key")
