"""The identity plugin on tokens of every kind: what the monolith refuses it refuses, and what it takes it takes."""

import base64
import json
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity, IdentityProvider, IdentityUnavailable
from chassis.database.database import Database
from chassis.settings import SettingsInvalid
from legacy_adapter.identity import MAX_TOKENS, MonolithIdentity, from_environment
from tests.support.monolith.monolith_file import AUDIENCE, ISSUER, SECRET, MonolithFile, claims_of, sign

Plugin = MonolithIdentity


def bearer(token: str | bytes) -> list[tuple[bytes, bytes]]:
    return [(b"Host", b"x"), (b"Authorization", b"Bearer " + (token if isinstance(token, bytes) else token.encode()))]


@pytest.fixture
def monolith(tmp_path: Path) -> Iterator[MonolithFile]:
    file = MonolithFile(tmp_path / "monolith.sqlite3")
    yield file
    file.close()


@pytest.fixture
async def plugin(monolith: MonolithFile) -> AsyncIterator[Plugin]:
    provider = MonolithIdentity(SECRET, ISSUER, AUDIENCE, Database(monolith.url))
    yield provider
    await provider.aclose()


async def confirmed(plugin: Plugin, token: str) -> Identity:
    fields = bearer(token)
    return await plugin.confirm(plugin.identify(fields), fields)


async def test_a_token_with_a_live_row_names_its_user_and_all_roles(plugin: Plugin, monolith: MonolithFile) -> None:
    user = monolith.add_user("user", "guest", "team::18091f0e-27ba-4a3a-b5a8-db560a593c1b::captain")
    token = monolith.login(user)
    known = plugin.identify(bearer(token))
    assert (known.outcome, known.subject, known.roles) == (AuthenticationOutcome.USER, user, ())
    live = await plugin.confirm(known, bearer(token))
    assert live.roles == ("guest", "team::18091f0e-27ba-4a3a-b5a8-db560a593c1b::captain", "user")
    assert (live.outcome, live.subject, live.credential) == (AuthenticationOutcome.USER, user, known.credential)
    assert live.expires_at == pytest.approx(time.time() + 3 * 86400, abs=60)


@pytest.mark.parametrize(
    "values", [[], [b""], [b"Bearer"], [b"Bearer a b"], [b"Bearer  two-spaces"], [b"Bearer\ttab"], [b"no-scheme"]]
)
def test_anything_but_scheme_and_token_counts_as_no_credential(plugin: Plugin, values: list[bytes]) -> None:
    provider: IdentityProvider = plugin
    assert provider.identify([(b"authorization", value) for value in values]) == NOBODY


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Foo", "Basic"])
def test_the_scheme_is_not_looked_at(plugin: Plugin, monolith: MonolithFile, scheme: str) -> None:
    token = monolith.login(monolith.add_user("user"))
    assert plugin.identify([(b"AUTHORIZATION", f"{scheme} {token}".encode())]).outcome is AuthenticationOutcome.USER


def test_of_two_authorization_lines_the_first_counts_as_in_node(plugin: Plugin, monolith: MonolithFile) -> None:
    first, second = (monolith.login(monolith.add_user("user")) for _ in range(2))
    assert plugin.identify([*bearer(first), *bearer(second)]) == plugin.identify(bearer(first))
    assert plugin.identify([*bearer(b"x y"), *bearer(second)]) == NOBODY


def unsigned(claims: dict[str, object]) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def with_other_signature(claims: dict[str, object]) -> str:
    head, payload, _ = sign(claims).split(".")
    return f"{head}.{payload}.{sign(claims | {'iss': 'x'}).split('.')[2]}"


def without(*names: str) -> Callable[[dict[str, object]], str]:
    return lambda claims: sign({name: value for name, value in claims.items() if name not in names})


BROKEN: dict[str, Callable[[dict[str, object]], str]] = {
    "garbage": lambda _claims: "nonsense",
    "dots alone": lambda _claims: "..",
    "no JSON in the header": lambda claims: "e30x." + sign(claims).split(".", 1)[1],
    "Basic credentials": lambda _claims: "YTpi",
    "signed with another secret": lambda claims: sign(claims, "another-secret-of-sufficient-length-here"),
    "another token's signature": with_other_signature,
    "cut off": lambda claims: sign(claims)[:-1],
    "alg none": unsigned,
    "alg none, written None": lambda claims: unsigned(claims).replace("bm9uZSI", "Tm9uZSI"),
    "alg HS512 under the same secret": lambda claims: sign(claims, algorithm="HS512"),
    "another issuer": lambda claims: sign(claims | {"iss": "https://evil.example"}),
    "no issuer": without("iss"),
    "another audience": lambda claims: sign(claims | {"aud": "https://evil.example"}),
    "no audience": without("aud"),
    "expired by itself": lambda claims: sign(claims | {"exp": int(time.time()) - 3600}),
    "expired by itself just now": lambda claims: sign(claims | {"exp": int(time.time()) - 2}),
    "no user id": without("internalIdentifier"),
    "a user id that is no text": lambda claims: sign(claims | {"internalIdentifier": 7}),
    "nested without end": lambda _claims: base64.urlsafe_b64encode(b"[" * 9000).decode() + ".e30.x",
    "longer than any token": lambda _claims: "a" * 60_000,
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_token_is_rejected_even_where_it_has_a_row(plugin: Plugin, monolith: MonolithFile, kind: str) -> None:
    user = monolith.add_user("admin")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        token = BROKEN[kind](claims_of(user))
    monolith.add_token_row(token, user, datetime.now(UTC) + timedelta(days=1))
    identity = plugin.identify(bearer(token))
    assert (identity.outcome, identity.subject, identity.roles) == (AuthenticationOutcome.REJECTED, None, ())


@given(st.binary(max_size=200).filter(lambda token: b" " not in token and token))
def test_no_bytes_break_it(token: bytes) -> None:
    provider = MonolithIdentity(SECRET, ISSUER, AUDIENCE, Database("sqlite:///never-opened"))
    assert provider.identify(bearer(token)).outcome is AuthenticationOutcome.REJECTED


TOMORROW, YESTERDAY = (datetime.now(UTC) + timedelta(days=days) for days in (1, -1))


def rowless(monolith: MonolithFile, user: str) -> str:
    return sign(claims_of(user))


def expired(monolith: MonolithFile, user: str) -> str:
    return monolith.login(user, expires_at=YESTERDAY)


def with_two_rows(monolith: MonolithFile, user: str) -> str:
    token = expired(monolith, user)
    monolith.add_token_row(token, user, TOMORROW)
    return token


def of_another_user(monolith: MonolithFile, user: str) -> str:
    token = sign(claims_of(user))
    monolith.add_token_row(token, monolith.add_user("guest"), TOMORROW)
    return token


def of_a_deleted_user(monolith: MonolithFile, user: str) -> str:
    token = monolith.login(user)
    monolith.delete_user(user)
    return token


def of_a_clock_ahead(monolith: MonolithFile, user: str) -> str:
    return monolith.login(user, iat=int(time.time()) + 600)


@pytest.mark.parametrize(
    ("made", "passes"),
    [
        (rowless, False),
        (expired, False),
        (with_two_rows, True),
        (of_another_user, False),
        (of_a_deleted_user, True),  # the monolith leaves the subject
        (of_a_clock_ahead, True),
    ],
)
async def test_the_row_of_the_token_decides(
    plugin: Plugin, monolith: MonolithFile, made: Callable[[MonolithFile, str], str], passes: bool
) -> None:
    user = monolith.add_user("guest", "user")
    token = made(monolith, user)
    assert plugin.identify(bearer(token)).outcome is AuthenticationOutcome.USER
    live = await confirmed(plugin, token)
    wanted = (AuthenticationOutcome.USER, user, ("guest", "user"))
    assert (live.outcome, live.subject, live.roles) == (
        wanted if passes else (AuthenticationOutcome.REJECTED, None, ())
    )


async def test_what_changes_in_the_tables_counts_at_once(plugin: Plugin, monolith: MonolithFile) -> None:
    user = monolith.add_user()
    token = monolith.login(user)
    live = await confirmed(plugin, token)
    assert (live.outcome, live.roles) == (AuthenticationOutcome.USER, ())
    monolith.give_role(user, "user")
    assert (await confirmed(plugin, token)).roles == ("user",)
    monolith.expire(token)
    assert (await confirmed(plugin, token)).outcome is AuthenticationOutcome.REJECTED


async def test_who_was_refused_already_is_not_looked_up(tmp_path: Path) -> None:
    provider = MonolithIdentity(SECRET, ISSUER, AUDIENCE, Database(f"sqlite:///{tmp_path}/nothing-here"))
    for identity in (NOBODY, Identity(AuthenticationOutcome.REJECTED)):
        assert await provider.confirm(identity, []) is identity


async def test_a_database_that_is_away_is_no_refusal(monolith: MonolithFile, tmp_path: Path) -> None:
    token = monolith.login(monolith.add_user("user"))
    provider = MonolithIdentity(SECRET, ISSUER, AUDIENCE, Database(f"sqlite:///{tmp_path}/nothing-here"))
    with pytest.raises(IdentityUnavailable):
        await confirmed(provider, token)
    assert not (tmp_path / "nothing-here").exists()


def test_a_token_is_verified_once_and_forgotten_when_it_expires(monolith: MonolithFile) -> None:
    now = time.time()
    provider = MonolithIdentity(SECRET, ISSUER, AUDIENCE, Database(monolith.url), clock=lambda: now)
    token = monolith.login(monolith.add_user("user"), exp=int(now) + 10)
    first = provider.identify(bearer(token))
    assert provider.identify(bearer(token)) is first
    now += 3600
    assert provider.identify(bearer(token)).outcome is AuthenticationOutcome.REJECTED


def test_what_it_remembers_is_bounded(monolith: MonolithFile) -> None:
    provider = MonolithIdentity(SECRET, ISSUER, AUDIENCE, Database(monolith.url), size=3)
    tokens = [sign(claims_of(str(number))) for number in range(5)]
    first = [provider.identify(bearer(token)) for token in tokens]
    kept = [provider.identify(bearer(token)) is known for token, known in zip(tokens, first, strict=True)]
    assert kept.count(True) <= 3 < MAX_TOKENS


def test_the_plugin_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, monolith: MonolithFile, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    monkeypatch.setenv("AUTH_JWT_SECRET_FILE", str(secret))
    monkeypatch.setenv("LEGACY_DATABASE_URL", monolith.url)
    user = monolith.add_user("user")
    assert from_environment().identify(bearer(monolith.login(user))).subject == user


def test_a_missing_variable_is_named_and_no_secret_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEGACY_DATABASE_URL", "AUTH_JWT_SECRET_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AUTH_JWT_SECRET", SECRET)
    with pytest.raises(SettingsInvalid, match="LEGACY_DATABASE_URL") as refused:
        from_environment()
    assert SECRET not in str(refused.value)
