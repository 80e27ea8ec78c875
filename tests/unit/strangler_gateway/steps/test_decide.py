"""Which side takes a request, and that a canary keeps every user on one side."""

import re
import uuid
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.auth.claims import NOBODY
from strangler_gateway.exchange.decision import choose
from strangler_gateway.steps.decide import Decide
from strangler_gateway.table.bucket import bucket
from strangler_gateway.table.routes import MigrationState, Side
from tests.support.gateway.exchanges import ALICE, SHOP, exchange, gateway_for, route, step

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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"", 0),
        (b"test", 0xBA6BD213),
        (b"Hello, world!", 0xC0363E43),
        (b"The quick brown fox jumps over the lazy dog", 0x2E4FF723),
    ],
)
def test_the_reference_gives_the_published_values(text: bytes, value: int) -> None:
    assert murmur3_32(text) == value


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


def test_lowering_the_share_removes_the_last_added() -> None:
    everybody = [str(uuid.UUID(int=n)) for n in range(2_000)]
    at = {share: {user for user in everybody if side(share, user) is EXTRACTED} for share in (1_000, 2_500, 7_000)}
    assert at[1_000] < at[2_500] < at[7_000]


@given(users)
def test_no_share_takes_nobody_and_the_full_share_everybody(user: str) -> None:
    assert side(0, user) is LEGACY
    assert side(10_000, user) is EXTRACTED


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


@pytest.mark.parametrize("state", MigrationState)
def test_a_route_without_a_new_end_stays_with_the_monolith(state: MigrationState) -> None:
    assert choose(route(state, extracted=None), 0, EXTRACTED).side is LEGACY


@pytest.mark.parametrize(
    ("bucket_of_user", "reason"), [(None, "anonymous"), (0, "share_in"), (2_499, "share_in"), (2_500, "share_out")]
)
def test_the_share_is_counted_in_basis_points(bucket_of_user: int | None, reason: str) -> None:
    assert choose(route(share=2_500), bucket_of_user).reason == reason


def test_a_user_is_on_the_side_of_his_bucket() -> None:
    gateway = gateway_for(route(share=10_000))
    x = exchange(gateway)
    x.identity = ALICE
    step(gateway, Decide, x)
    assert x.bucket == bucket("s", b"alice")
    assert x.decision is not None
    assert (x.decision.reason, x.service) == ("share_in", SHOP)


@pytest.mark.parametrize(("method", "reason"), [("GET", "breaker_open"), ("POST", "share_in"), ("DELETE", "share_in")])
def test_an_open_breaker_sends_safe_requests_to_the_monolith_and_never_a_write(method: str, reason: str) -> None:
    fragile = replace(SHOP, breaker_failures=1)
    gateway = gateway_for(route(extracted=fragile))
    gateway.upstreams.pool(fragile)._failed()
    x = exchange(gateway, method=method)
    x.identity = ALICE
    step(gateway, Decide, x)
    assert x.decision is not None
    assert x.decision.reason == reason


@pytest.mark.parametrize(
    ("anonymous", "fields", "key"),
    [
        ("address", {}, b"192.0.2.7"),
        ("header:X-Device", {"x-device": "d1"}, b"d1"),
        ("cookie", {"Cookie": "a=b; strangler-canary=abcdefghijklmnopqrstuv"}, b"abcdefghijklmnopqrstuv"),
    ],
)
def test_nobody_known_is_drawn_by_what_the_group_says(anonymous: str, fields: dict[str, str], key: bytes) -> None:
    gateway = gateway_for(route(anonymous=anonymous))
    x = exchange(gateway, fields)
    x.identity = NOBODY
    step(gateway, Decide, x)
    assert x.bucket == bucket("s", key)
    assert x.extra_fields == []


@pytest.mark.parametrize("anonymous", ["legacy", "header:X-Device"])
def test_nobody_known_goes_to_the_monolith_where_there_is_nothing_to_go_by(anonymous: str) -> None:
    gateway = gateway_for(route(anonymous=anonymous))
    x = exchange(gateway)
    step(gateway, Decide, x)
    assert x.decision is not None
    assert (x.bucket, x.decision.reason) == (None, "anonymous")


def test_random_draws_anew_each_time() -> None:
    gateway = gateway_for(route(anonymous="random"))
    drawn = set()
    for _ in range(50):
        x = exchange(gateway)
        step(gateway, Decide, x)
        drawn.add(x.bucket)
    assert len(drawn) > 10


@pytest.mark.parametrize("sent", [{}, {"Cookie": "strangler-canary=short"}, {"Cookie": "other=1; strangler-canary="}])
def test_the_canary_gives_a_cookie_that_it_then_goes_by(sent: dict[str, str]) -> None:
    gateway = gateway_for(route(anonymous="cookie"))
    first = exchange(gateway, sent, scheme=b"https")
    step(gateway, Decide, first)
    [(name, value)] = first.extra_fields
    assert name == b"Set-Cookie"
    given_back = re.fullmatch(
        rb"(strangler-canary=[\w-]{22}); Path=/; Max-Age=\d+; HttpOnly; SameSite=Lax; Secure", value
    )
    assert given_back is not None
    second = exchange(gateway, {"Cookie": given_back[1].decode()})
    step(gateway, Decide, second)
    assert (second.bucket, second.extra_fields) == (first.bucket, [])


@pytest.mark.parametrize(
    "state", [MigrationState.LEGACY, MigrationState.SHADOW, MigrationState.EXTRACTED, MigrationState.RETIRED]
)
def test_no_cookie_is_set_outside_a_canary(state: MigrationState) -> None:
    gateway = gateway_for(route(state, anonymous="cookie"))
    x = exchange(gateway)
    step(gateway, Decide, x)
    assert x.extra_fields == []


def test_a_known_user_gets_no_cookie() -> None:
    gateway = gateway_for(route(anonymous="cookie"))
    x = exchange(gateway)
    x.identity = ALICE
    step(gateway, Decide, x)
    assert x.extra_fields == []
