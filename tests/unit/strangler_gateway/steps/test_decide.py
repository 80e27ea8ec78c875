"""Which side takes a request, and that a canary keeps every user on one side."""

import re
import uuid
from collections import Counter
from dataclasses import replace
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.auth.claims import NOBODY
from strangler_gateway.exchange.decision import choose
from strangler_gateway.table.bucket import bucket
from strangler_gateway.table.position import Position, placed
from strangler_gateway.table.routes import MigrationState, Side
from strangler_gateway.table.rules.plan import PlanRules, parse_steps
from tests.support.gateway.exchanges import ALICE, SHOP, decided, gateway_for, route

LEGACY, EXTRACTED = Side.LEGACY, Side.EXTRACTED


def murmur3_32(data: bytes) -> int:
    """MurmurHash3_x86_32 with seed 0, after its description (Austin Appleby, public domain)."""
    h, mask = 0, 0xFFFFFFFF
    for at in range(0, len(data), 4):
        k = int.from_bytes(data[at : at + 4], "little") * 0xCC9E2D51 & mask
        h ^= (k << 15 | k >> 17) * 0x1B873593 & mask
        if at + 4 <= len(data):
            h = ((h << 13 | h >> 19) & mask) * 5 + 0xE6546B64 & mask
    h ^= len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = (h ^ h >> shift) * factor & mask
    return h ^ h >> 16


def test_the_reference_gives_the_published_values() -> None:
    published = {b"": 0, b"test": 0xBA6BD213, b"Hello, world!": 0xC0363E43}
    assert {text: murmur3_32(text) for text in published} == published


@given(st.text(max_size=30), st.binary(max_size=60))
def test_a_bucket_is_murmur3_of_salt_and_key(salt: str, key: bytes) -> None:
    assert bucket(salt, key) == murmur3_32(salt.encode("utf-8") + b":" + key) % 10_000


def side(share: int, user: str) -> Side:
    one = route(MigrationState.CANARY, share=share)
    return choose(one, bucket(one.movable.salt, user.encode())).side


users = st.uuids().map(str) | st.text(min_size=1, max_size=40)


@given(users, st.integers(0, 10_000), st.integers(0, 10_000))
def test_raising_the_share_only_adds_users(user: str, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert not (side(low, user) is EXTRACTED and side(high, user) is LEGACY)
    assert (side(0, user), side(10_000, user)) == (LEGACY, EXTRACTED)


def test_users_spread_evenly_over_the_buckets() -> None:
    counts = Counter(bucket("items-1", str(uuid.UUID(int=n)).encode()) // 100 for n in range(100_000))
    chi_square = sum((n - 1_000) ** 2 / 1_000 for n in counts.values())
    assert len(counts) == 100
    assert chi_square < 160  # 99 degrees of freedom: 1 in 10,000 is above


def test_another_salt_draws_other_users() -> None:
    everybody = [str(n).encode() for n in range(5_000)]
    both = sum(bucket("a", user) < 5_000 and bucket("b", user) < 5_000 for user in everybody)
    assert 1_100 < both < 1_400


@pytest.mark.parametrize(
    ("state", "override", "expected"),
    [
        (MigrationState.LEGACY, None, (LEGACY, "state_legacy")),
        (MigrationState.LEGACY, EXTRACTED, (LEGACY, "state_legacy")),
        (MigrationState.SHADOW, None, (LEGACY, "state_shadow")),
        (MigrationState.SHADOW, EXTRACTED, (EXTRACTED, "override")),
        (MigrationState.CANARY, LEGACY, (LEGACY, "override")),
        (MigrationState.CANARY, EXTRACTED, (EXTRACTED, "override")),
        (MigrationState.EXTRACTED, None, (EXTRACTED, "state_extracted")),
        (MigrationState.EXTRACTED, LEGACY, (LEGACY, "override")),
        (MigrationState.RETIRED, None, (EXTRACTED, "state_retired")),
        (MigrationState.RETIRED, LEGACY, (EXTRACTED, "state_retired")),
    ],
)
def test_state_and_override_decide(state: MigrationState, override: Side | None, expected: tuple[Side, str]) -> None:
    decision = choose(route(state), None, override)
    assert (decision.side, decision.reason) == expected
    assert choose(route(state, extracted=None), 0, EXTRACTED).side is LEGACY  # without a new end


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (MigrationState.LEGACY, (LEGACY, "state_legacy")),
        (MigrationState.SHADOW, (LEGACY, "identity_unavailable")),
        (MigrationState.CANARY, (LEGACY, "identity_unavailable")),
        (MigrationState.EXTRACTED, (EXTRACTED, "state_extracted")),
        (MigrationState.RETIRED, (EXTRACTED, "state_retired")),
    ],
)
def test_an_unavailable_identity_leaves_to_the_monolith_what_it_still_owns(
    state: MigrationState, expected: tuple[Side, str]
) -> None:
    decision = choose(route(state), 0, identity_unavailable=True)
    assert (decision.side, decision.reason) == expected


@pytest.mark.parametrize(
    ("bucket_of_user", "reason"), [(None, "anonymous"), (0, "share_in"), (2_499, "share_in"), (2_500, "share_out")]
)
def test_the_share_is_counted_in_basis_points(bucket_of_user: int | None, reason: str) -> None:
    assert choose(route(share=2_500), bucket_of_user).reason == reason


@pytest.mark.parametrize(
    ("position", "kept_back", "bucket_of_user", "reason"),
    [
        (Position(MigrationState.EXTRACTED), 100, 9_899, "share_in"),
        (Position(MigrationState.EXTRACTED), 100, 9_900, "share_out"),
        (Position(MigrationState.EXTRACTED), 100, None, "state_extracted"),
        (Position(MigrationState.EXTRACTED), 0, 9_999, "state_extracted"),
        (Position(MigrationState.CANARY, 9_000), 5_000, 4_999, "share_in"),
        (Position(MigrationState.CANARY, 9_000), 5_000, 5_000, "share_out"),
        (Position(MigrationState.CANARY, 1_000), 5_000, 1_000, "share_out"),
        (Position(MigrationState.RETIRED), 100, 9_999, "state_retired"),
    ],
)
def test_users_who_are_kept_back_stay_on_legacy_and_nobody_is_added(
    position: Position, kept_back: int, bucket_of_user: int | None, reason: str
) -> None:
    one = route(position.state, share=position.share)
    kept = replace(one, movable=replace(one.movable, kept_back=kept_back))
    assert choose(kept, bucket_of_user).reason == reason


@pytest.mark.parametrize(
    ("position", "probe", "kept_back"),
    [
        (Position(MigrationState.SHADOW), False, 0),
        (Position(MigrationState.CANARY, 10_000), False, 0),
        (Position(MigrationState.CANARY, 10_000), True, 5_000),
        (Position(MigrationState.EXTRACTED), False, 200),
        (Position(MigrationState.EXTRACTED), True, 5_000),
        (Position(MigrationState.RETIRED), False, 0),
    ],
)
def test_a_holdback_is_kept_in_extracted_and_half_of_the_users_in_a_probe(
    position: Position, probe: bool, kept_back: int
) -> None:
    planned = replace(route().movable, plan=PlanRules(parse_steps(["shadow"]), holdback=200))
    assert placed(planned, position, probe=probe).kept_back == kept_back


def test_a_user_is_on_the_side_of_his_bucket_and_gets_no_cookie() -> None:
    x = decided(gateway_for(route(anonymous="cookie")), who=ALICE)
    assert x.decision is not None
    assert (x.bucket, x.decision.reason, x.service, x.extra_fields) == (bucket("s", b"alice"), "share_in", SHOP, ())


@pytest.mark.parametrize(("method", "reason"), [("GET", "breaker_open"), ("POST", "share_in"), ("DELETE", "share_in")])
def test_an_open_breaker_sends_safe_requests_to_the_monolith_and_never_a_write(method: str, reason: str) -> None:
    fragile = replace(SHOP, breaker_failures=1)
    gateway = gateway_for(route(extracted=fragile))
    breaker = gateway.upstreams.pool(fragile).bulkhead.breaker
    breaker.failed(breaker.admit(0.0), True, monotonic())
    x = decided(gateway, who=ALICE, method=method)
    assert x.decision is not None
    assert x.decision.reason == reason


@pytest.mark.parametrize(
    ("anonymous", "fields", "key"),
    [
        ("address", {}, b"192.0.2.7"),
        ("header:X-Device", {"x-device": "d1"}, b"d1"),
        ("cookie", {"Cookie": "a=b; strangler-canary=abcdefghijklmnopqrstuv"}, b"abcdefghijklmnopqrstuv"),
        ("legacy", {}, None),
        ("header:X-Device", {}, None),
    ],
)
def test_nobody_known_is_drawn_by_what_the_group_says_or_goes_to_the_monolith(
    anonymous: str, fields: dict[str, str], key: bytes | None
) -> None:
    x = decided(gateway_for(route(anonymous=anonymous)), fields, NOBODY)
    assert x.decision is not None
    assert (x.bucket, x.extra_fields) == (None if key is None else bucket("s", key), ())
    assert x.decision.reason == ("anonymous" if key is None else "share_in")


def test_random_draws_anew_each_time() -> None:
    gateway = gateway_for(route(anonymous="random"))
    assert len({decided(gateway).bucket for _ in range(50)}) > 10


@pytest.mark.parametrize("sent", [{}, {"Cookie": "strangler-canary=short"}, {"Cookie": "other=1; strangler-canary="}])
def test_the_canary_gives_a_cookie_that_it_then_goes_by(sent: dict[str, str]) -> None:
    gateway = gateway_for(route(anonymous="cookie"))
    first = decided(gateway, sent, scheme=b"https")
    [(name, value)] = first.extra_fields
    assert name == b"Set-Cookie"
    cookie = re.fullmatch(rb"(strangler-canary=[\w-]{22}); Path=/; Max-Age=\d+; HttpOnly; SameSite=Lax; Secure", value)
    assert cookie is not None
    second = decided(gateway, {"Cookie": cookie[1].decode()})
    assert (second.bucket, second.extra_fields) == (first.bucket, ())


@pytest.mark.parametrize("state", [state for state in MigrationState if state is not MigrationState.CANARY])
def test_no_cookie_is_set_outside_a_canary(state: MigrationState) -> None:
    assert decided(gateway_for(route(state, anonymous="cookie"))).extra_fields == ()
