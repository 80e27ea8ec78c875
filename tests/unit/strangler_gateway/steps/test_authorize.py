"""Towards a service: the live state, the internal token, and who answers a caller that is refused."""

import inspect
import os
import stat
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, RSAKey

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Fields, Identity, IdentityUnavailable
from chassis.auth.tokens import TokenRejected, TokenVerifier
from strangler_gateway.exchange.decision import Decision
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.gateway import Gateway
from strangler_gateway.identity import signer as signer_module
from strangler_gateway.identity.grants import Grants
from strangler_gateway.identity.signer import KEY_FILE, Signer, SigningKeyInvalid, ephemeral_signer, open_signer
from strangler_gateway.steps.authorize import Authorize
from strangler_gateway.steps.decide import Decide
from strangler_gateway.steps.identify import Identify
from strangler_gateway.table.routes import Auth, MigrationState, Side
from tests.support.gateway.exchanges import (
    ALICE,
    MONOLITH,
    REJECTED,
    SHOP,
    Clock,
    LaterProvider,
    Provider,
    changed,
    exchange,
    gateway_for,
    known_as,
    route,
    signer,
    step,
)

ADMINS = Auth(frozenset({"admin", "owner"}), "gateway")
USERS = Auth("authenticated", "gateway")
both_kinds = pytest.mark.parametrize("kind", [Provider, LaterProvider])


async def authorized(
    gateway: Gateway, identity: Identity | None = ALICE, override: Side | None = None, unavailable: bool = False
) -> tuple[Exchange, Reply | None]:
    x = exchange(gateway)
    known_as(gateway, x, identity)
    x.identity_unavailable, x.override = unavailable, override
    step(gateway, Decide, x)
    outcome = step(gateway, Authorize, x)
    reply = await outcome if inspect.isawaitable(outcome) else outcome
    assert reply is None or isinstance(reply, Reply)
    return x, reply


async def claimed(token: bytes | None, audience: str = "shop") -> Identity:
    assert token is not None
    return await TokenVerifier(audience, jwks=signer().jwks()).verify(token)


async def test_the_monolith_is_never_spoken_for() -> None:
    provider = Provider(REJECTED)
    x, reply = await authorized(gateway_for(route(MigrationState.LEGACY, auth=ADMINS), provider), REJECTED)
    assert (reply, x.service, x.internal_token, provider.confirmed) == (None, MONOLITH, None, 0)


@both_kinds
async def test_a_service_gets_the_live_roles_in_a_token_of_its_own(kind: type[Provider]) -> None:
    live = changed(roles=("user", "admin"))
    x, reply = await authorized(gateway_for(route(), kind(ALICE, live)))
    told = await claimed(x.internal_token)
    assert reply is None
    assert (told.outcome, told.subject, told.roles) == (AuthenticationOutcome.USER, "alice", ("user", "admin"))
    assert x.identity == live
    with pytest.raises(TokenRejected):
        await claimed(x.internal_token, audience="another-service")


@pytest.mark.parametrize("identity", [None, NOBODY, REJECTED])
@pytest.mark.parametrize("require", ["open", "authenticated", frozenset({"admin"})])
async def test_upstream_enforcement_passes_refused_callers_on_with_the_outcome(
    identity: Identity | None, require: object
) -> None:
    auth = Auth(require, "upstream")  # type: ignore[arg-type]  # one of three kinds
    x, reply = await authorized(gateway_for(route(MigrationState.EXTRACTED, auth=auth), Provider()), identity)
    told = await claimed(x.internal_token)
    assert reply is None
    assert (told.outcome, told.subject) == ((identity or NOBODY).outcome, None)


@pytest.mark.parametrize(
    ("auth", "identity", "status"),
    [
        (Auth("open", "gateway"), NOBODY, None),
        (Auth("open", "gateway"), REJECTED, None),
        (USERS, ALICE, None),
        (USERS, NOBODY, 401),
        (USERS, REJECTED, 401),
        (USERS, None, 401),
        (ADMINS, NOBODY, 401),
        (ADMINS, ALICE, 403),
        (ADMINS, changed(roles=("owner",)), None),
        (ADMINS, changed(roles=("user", "admin")), None),
    ],
)
async def test_gateway_enforcement_answers_by_itself(auth: Auth, identity: Identity | None, status: int | None) -> None:
    provider = None if identity is None else Provider(identity)
    x, reply = await authorized(gateway_for(route(MigrationState.EXTRACTED, auth=auth), provider), identity)
    assert (reply.status if reply else None) == status
    assert (x.internal_token is None) is (reply is not None)
    if reply is not None and status == 401:
        assert reply.fields[0][0] == b"WWW-Authenticate"  # RFC 9110 §15.5.2


class Slow(Provider):
    """Takes four seconds to confirm."""

    clock: Clock

    async def confirm(self, identity: Identity, fields: Fields) -> Identity:
        self.confirmed += 1
        self.clock.now += 4
        return identity


@pytest.mark.parametrize(
    ("kind", "who", "asked"),
    [
        (Provider, ALICE, [(0, 1), (4.9, 1), (5.0, 2), (9.9, 2), (10.1, 3)]),
        (LaterProvider, ALICE, [(0, 1), (4.9, 1), (5.0, 2), (9.9, 2), (10.1, 3)]),
        (Slow, ALICE, [(0, 1), (4.9, 1), (5.0, 2)]),
        (Provider, changed(credential=b""), [(0, 1), (0, 2)]),
    ],
    ids=["told at once", "told later", "from before a slow answer", "never without a digest"],
)
async def test_a_grant_is_good_for_five_seconds(
    kind: type[Provider], who: Identity, asked: list[tuple[float, int]]
) -> None:
    clock, provider = Clock(), kind(who)
    if isinstance(provider, Slow):
        provider.clock = clock
    gateway = gateway_for(route(), provider)
    gateway.authority.sources[0].grants = Grants(clock)
    for at, confirmed in asked:
        clock.now = 1_000.0 + at
        await authorized(gateway, who)
        assert provider.confirmed == confirmed, at


@both_kinds
@pytest.mark.parametrize("auth", [USERS, Auth()], ids=["the gateway refuses", "the service is told"])
async def test_a_refusal_is_never_kept(kind: type[Provider], auth: Auth) -> None:
    provider = kind(ALICE, REJECTED)
    gateway = gateway_for(route(MigrationState.EXTRACTED, auth=auth), provider)
    for confirmed in (1, 2, 3):
        x, reply = await authorized(gateway)
        assert provider.confirmed == confirmed
        if auth is USERS:
            assert reply is not None
        else:
            assert (await claimed(x.internal_token)).outcome is AuthenticationOutcome.REJECTED
    provider.live = ALICE
    x, reply = await authorized(gateway)
    assert (reply, (await claimed(x.internal_token)).subject) == (None, "alice")


@both_kinds
async def test_before_a_refusal_the_state_is_read_again(kind: type[Provider]) -> None:
    provider = kind(ALICE)
    gateway = gateway_for(route(MigrationState.EXTRACTED, auth=USERS), provider)
    await authorized(gateway)
    provider.live = changed(roles=("admin",))
    gateway.adopt(gateway_for(route(MigrationState.EXTRACTED, auth=ADMINS)).current.table)
    _, reply = await authorized(gateway)
    assert (reply, provider.confirmed) == (None, 2)


async def test_a_refusal_ends_the_grant_that_was_kept() -> None:
    provider = Provider(ALICE, changed(roles=("admin",)))
    gateway = gateway_for(route(MigrationState.EXTRACTED, auth=ADMINS), provider)
    await authorized(gateway)
    provider.live = REJECTED
    gateway.authority.sources[0].grants.put(ALICE, REJECTED, 0.0)
    _, reply = await authorized(gateway)
    assert reply is not None
    assert reply.status == 401


@both_kinds
@pytest.mark.parametrize("error", [IdentityUnavailable("store away"), ValueError("a fault of the plugin")])
@pytest.mark.parametrize(
    ("state", "override"),
    [(MigrationState.SHADOW, Side.EXTRACTED), (MigrationState.CANARY, None), (MigrationState.CANARY, Side.EXTRACTED)],
)
async def test_while_the_store_is_away_the_monolith_answers_what_it_owns(
    kind: type[Provider], error: Exception, state: MigrationState, override: Side | None
) -> None:
    x, reply = await authorized(gateway_for(route(state), kind(ALICE, error)), override=override)
    assert x.decision is not None
    assert (reply, x.service, x.decision.reason) == (None, MONOLITH, "identity_unavailable")
    assert (x.decision.side, x.internal_token) == (Side.LEGACY, None)


@pytest.mark.parametrize("state", [MigrationState.EXTRACTED, MigrationState.RETIRED])
@pytest.mark.parametrize("early", [True, False])
async def test_while_the_store_is_away_an_extracted_route_answers_503(state: MigrationState, early: bool) -> None:
    gateway = gateway_for(route(state), Provider(ALICE, IdentityUnavailable("store away")))
    x, reply = await authorized(gateway, None if early else ALICE, unavailable=early)
    assert reply is not None
    assert (reply.status, x.service, x.internal_token) == (503, SHOP, None)
    assert (x.decision, x.stage) == (Decision(Side.EXTRACTED, "identity_unavailable"), b"identity")


async def test_a_token_is_used_again_for_thirty_seconds_lives_sixty_and_follows_a_clock_put_back() -> None:
    clock = Clock(1_700_000_000.5)
    mine = Signer([ECKey.generate_key("P-256")], clock)
    first = mine.token(ALICE, "shop")
    clock.now += 29
    assert mine.token(ALICE, "shop") == first
    clock.now += 1
    second = mine.token(ALICE, "shop")
    assert second != first
    verifier = TokenVerifier("shop", jwks=mine.jwks(), clock=clock)
    assert (await verifier.verify(second)).expires_at == 1_700_000_030 + 60
    clock.now -= 3600
    verifier = TokenVerifier("shop", jwks=mine.jwks(), clock=clock)
    anew = mine.token(ALICE, "shop")
    assert ((await verifier.verify(anew)).subject, anew != second) == ("alice", True)


def test_a_connection_sends_its_last_token_again_for_the_same_caller_and_service_alone_and_not_for_long() -> None:
    clock = Clock(1_700_000_000.5)
    mine, bob = Signer([ECKey.generate_key("P-256")], clock), changed(subject="bob")
    last = mine.issue(ALICE, "shop", None)
    for user, audience, seconds in (
        *((ALICE, "shop", 29), (ALICE, "account", 29), (bob, "shop", 29)),
        *((ALICE, "shop", 31), (ALICE, "shop", -3600)),
    ):
        clock.now = 1_700_000_000.5 + seconds
        issued = mine.issue(user, audience, last)
        assert issued[3] == mine.token(user, audience)
        assert (issued is last) == ((user, audience, seconds) == (ALICE, "shop", 29))


def test_one_user_more_costs_the_others_no_token_and_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signer_module, "MAX_TOKENS", 3)
    mine = Signer([ECKey.generate_key("P-256")], Clock())
    users = [changed(subject=f"user {number}") for number in range(4)]
    first = [mine.token(user, "shop") for user in users]
    assert [mine.token(user, "shop") for user in users] == first
    for number in range(20):
        mine.token(changed(subject=f"other {number}"), "shop")
    assert len(mine._tokens) + len(mine._older) <= 6


@pytest.mark.parametrize(
    ("other", "audience"),
    [
        (changed(subject="bob"), "shop"),
        (changed(roles=("admin",)), "shop"),
        (Identity(AuthenticationOutcome.REJECTED), "shop"),
        (Identity(AuthenticationOutcome.MISSING), "shop"),
        (ALICE, "account"),
    ],
)
def test_a_token_is_shared_by_equal_callers_of_one_service_alone(other: Identity, audience: str) -> None:
    assert signer().token(changed(credential=b"other digest"), "shop") == signer().token(ALICE, "shop")
    assert signer().token(other, audience) != signer().token(ALICE, "shop")


def test_the_published_keys_are_public_and_named_by_their_thumbprint() -> None:
    [key] = signer().jwks()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert key["kid"] == ECKey.import_key({name: key[name] for name in ("kty", "crv", "x", "y")}).thumbprint()


def pem(key: ECKey | RSAKey, private: bool = True) -> str:
    return key.as_pem(private=private).decode()


async def test_old_and_new_key_overlap_at_a_rotation(tmp_path: Path) -> None:
    old, new = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    before = open_signer(pem(old), tmp_path)
    after = open_signer(pem(new) + pem(old, private=False), tmp_path)
    verifier = TokenVerifier("shop", jwks=after.jwks())
    for token in (before.token(ALICE, "shop"), after.token(ALICE, "shop")):
        assert (await verifier.verify(token)).subject == "alice"
    assert after.jwks()["keys"][0]["kid"] == new.thumbprint()


def test_a_key_is_made_once_in_a_file_for_its_owner_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state_dir = tmp_path / "not" / "yet"
    assert open_signer(None, state_dir).jwks() == open_signer(None, state_dir).jwks()
    assert stat.S_IMODE((state_dir / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(state_dir.stat().st_mode) == 0o700
    assert (os.listdir(state_dir), caplog.records) == ([KEY_FILE], [])
    (state_dir / KEY_FILE).chmod(0o640)
    open_signer(None, state_dir)
    assert "make it 0600" in caplog.text


def test_gateways_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)

    def start(_: int) -> str:
        barrier.wait()
        return str(open_signer(None, tmp_path).jwks()["keys"][0]["kid"])

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(start, range(8)))) == 1
    assert os.listdir(tmp_path) == [KEY_FILE]


def test_a_state_directory_that_cannot_be_written_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        open_signer(None, tmp_path / "file")


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: "secret-without-a-header", "no PEM key"),
        (lambda: "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----", "not an EC key"),
        (lambda: pem(RSAKey.generate_key(2048)), "not an EC key"),
        (lambda: pem(ECKey.generate_key("P-384")), "P-384"),
        (lambda: pem(ECKey.generate_key("P-256"), private=False), "public"),
    ],
)
def test_a_signing_key_that_cannot_sign_is_refused_without_showing_it(
    made: Callable[[], str], told: str, tmp_path: Path
) -> None:
    text = made()
    with pytest.raises(SigningKeyInvalid, match=told) as refused:
        open_signer(text, tmp_path)
    assert not any(len(word) > 12 and word in str(refused.value) for word in text.split())


def test_a_key_in_one_line_of_an_environment_variable_is_read(tmp_path: Path) -> None:
    key = ECKey.generate_key("P-256")
    one_line = pem(key).replace("\n", "\\n")
    assert open_signer(one_line, tmp_path).jwks()["keys"][0]["kid"] == key.thumbprint()


def test_an_ephemeral_key_is_another_one_each_time() -> None:
    assert ephemeral_signer().jwks() != ephemeral_signer().jwks()


def test_the_steps_of_a_cached_caller_take_no_time_to_speak_of() -> None:
    """The target is 3 µs for identify, decide and authorize; ten times that fails even on a busy machine."""
    gateway = gateway_for(route(), Provider())
    x = exchange(gateway)
    rounds = 2_000
    best = float("inf")
    for _ in range(5):
        started = time.process_time()
        for _ in range(rounds):
            step(gateway, Identify, x)
            step(gateway, Decide, x)
            step(gateway, Authorize, x)
        best = min(best, (time.process_time() - started) / rounds)
    assert best < 30e-6
