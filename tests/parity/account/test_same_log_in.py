"""Account and the stand-in monolith: the same answers, tokens and rows for log-ins."""

import asyncio
import base64
import hashlib
import json
import re
import time
from dataclasses import replace
from datetime import timedelta
from itertools import count, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.auth.claims import AuthenticationOutcome
from examples.monolith.storage import tables
from tests.parity.account.signing import PASSWORD, Signing
from tests.parity.sides import FORM, JSON, Fields, difference, identities_of, tag_of
from tests.support.effort import examples
from tests.unit.extracted.running import Answer, ask

pytestmark = pytest.mark.walk

FRESH = (f"l{number}" for number in count(1000))
ADMIN = {"grantType": "implicit", "identity": "admin", "secret": "admin"}
CLIENT = {"clientId": "00000000-0000-4000-8000-000000000000", "clientSecret": "s"}
VALUES: dict[str, list[object]] = {
    "grantType": ["implicit", "password", "client_credentials", "refresh_token", "authorization_code", "Implicit", "",
                  None, 1, [], ["implicit"], {}],
    "identity": ["", "x", "ADMIN", " admin", "admin\0", "a\ud800", "x" * 300, "' or ''='", None, 1, [], {}, True],
    "secret": ["", "Admin", "admin\0", "\ud800", "é" * 40, "x" * 4000, None, 2, [], {}],
    "clientId": ["x", CLIENT["clientId"], "00000000-0000-1000-8000-000000000000", None, 1],
    "clientSecret": ["", "s", None, 1],
    "refreshToken": ["x", None],
    "toString": ["x"],
    "0": ["x"],
}  # fmt: skip
"""Values for each property of a body that is fine but for it."""
BODIES: list[object] = [
    *(ADMIN | {name: value} for name, values in VALUES.items() for value in values),
    *({one: value for one, value in ADMIN.items() if one != name} for name in ADMIN),
    *({"grantType": grant} | client for grant, client in product(VALUES["grantType"], ({}, CLIENT))),
    *(ADMIN | {"grantType": grant} | CLIENT for grant in VALUES["grantType"]),
    {}, [], [ADMIN], None,
]  # fmt: skip


def differ(signing: Signing, body: object, method: str = "POST", headers: Fields = None, actor: str = "nobody") -> str:
    return difference(*map(shown, signing.both(actor, "/auth/token", method, body, headers)))


def shown(answer: Answer) -> Answer:
    """The answer without token and time, in which a log-in of the next second differs; its tag must be its own."""
    if answer.status != 201:
        return answer
    assert answer.headers["etag"] == tag_of(answer.body)
    token = token_of(answer).encode()
    content = re.sub(rb'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"', b"", answer.body.replace(token, b""))
    return replace(answer, body=content, headers=answer.headers | {"etag": ""})


def token_of(answer: Answer) -> str:
    return str(json.loads(answer.body)["data"]["accessToken"])


def parts(answer: Answer) -> tuple[bytes, dict[str, Any]]:
    head, payload, _ = token_of(answer).split(".")
    return base64.urlsafe_b64decode(head + "=="), json.loads(base64.urlsafe_b64decode(payload + "=="))


def rows(signing: Signing, side: int) -> list[dict[str, Any]]:
    return signing.files[side].rows(tables.auth_oauth2_tokens)


def test_log_ins_of_one_second_give_one_token_whichever_side_issues_it(signing: Signing) -> None:
    """And every log-in has its own row."""
    deadline = time.monotonic() + 60
    while True:
        before = [{row["id"] for row in rows(signing, side)} for side in (0, 1)]
        answers = signing.both("nobody", "/auth/token", body=ADMIN), signing.both("nobody", "/auth/token", body=ADMIN)
        tokens = {token_of(answer) for pair in answers for answer in pair}
        if len(tokens) == 1:
            break
        assert time.monotonic() < deadline, "two log-ins of each side never fell into one second"
    assert parts(answers[0][0]) == parts(answers[0][1])
    legacy, extracted = ([row for row in rows(signing, side) if row["id"] not in before[side]] for side in (0, 1))
    assert {row["hashed_token"] for row in legacy + extracted} == {hashlib.sha256(tokens.pop().encode()).hexdigest()}
    assert (len(legacy), len(extracted)) == (2, 2)
    alike = ("type", "grant_with", "requested_client_id", "subject_id")
    assert [[row[name] for name in alike] for row in legacy] == [[row[name] for name in alike] for row in extracted]
    for row in extracted:
        assert row["created_at"] == row["updated_at"]
        assert row["token_expire_at"] - row["created_at"] == timedelta(days=3)


def test_a_token_of_either_side_is_good_on_the_other(signing: Signing) -> None:
    """The gateway's plugin takes Account's, and so does the monolith where it has the row."""
    _, new = signing.both("nobody", "/auth/token", body=ADMIN)
    bearer = f"Bearer {token_of(new)}"
    (identity,) = asyncio.run(identities_of(signing.files[1].url, [bearer])).values()
    assert (identity.outcome, identity.roles) == (AuthenticationOutcome.USER, ("admin",))


@pytest.mark.parametrize("number", range(len(BODIES)))
def test_every_body_is_answered_the_same(signing: Signing, number: int) -> None:
    assert differ(signing, BODIES[number]) == ""


def test_development_tells_which_rule_is_broken(signing_in_development: Signing) -> None:
    assert [(body, found) for body in BODIES if (found := differ(signing_in_development, body))] == []


@settings(max_examples=examples(40), deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*VALUES, "extra"]),
        st.one_of(
            st.none(), st.text(max_size=9), st.sampled_from(VALUES["grantType"]), st.integers(), st.just("admin")
        ),
        max_size=5,
    )
)
def test_any_body(signing: Signing, body: dict[str, object]) -> None:
    assert differ(signing, body) == ""


@pytest.mark.parametrize(
    ("headers", "body"),
    [(FORM, b"grantType=implicit&identity=admin&secret=admin"), (FORM, b"grantType=implicit&identity=admin"),
     (FORM, b"grantType=implicit&identity=admin&secret=a&secret=b"), (JSON, b"{"), (JSON, b'{"a":'), (JSON, b""),
     (JSON, b'{"grantType":"x","grantType":"implicit","identity":"admin","secret":"admin"}'),
     (JSON, b'"implicit"'), (JSON | {"Content-Type": "text/plain"}, json.dumps(ADMIN).encode()),
     (JSON, json.dumps(ADMIN | {"secret": "x" * 110_000}).encode()),
     (JSON | {"Origin": "https://polycode.do-2021.fr"}, json.dumps(ADMIN).encode()),
     (JSON | {"Origin": "https://polycode.do-2021.fr"}, json.dumps(ADMIN | {"secret": "x"}).encode())],
)  # fmt: skip
def test_bodies_as_sent(signing: Signing, headers: dict[str, str], body: bytes) -> None:
    assert differ(signing, body, headers=headers) == ""


def test_other_methods_and_a_preflight(signing: Signing) -> None:
    asked = {"Origin": "https://polycode.do-2021.fr", "Access-Control-Request-Method": "POST"}
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        assert differ(signing, None, method, asked) == ""


@pytest.mark.parametrize("actor", ["nonsense", "guest", "expired", "three words"])
def test_a_credential_changes_nothing(signing: Signing, actor: str) -> None:
    assert differ(signing, ADMIN, actor=actor) == ""
    assert differ(signing, {}, actor=actor) == ""


@pytest.mark.parametrize("password", ["12345678", "x" * 72, "x" * 100, "é✓\U0001f600" * 20, "a\0bcdefg"])
def test_passwords_of_every_kind(signing: Signing, password: str) -> None:
    """Also the one that differs only beyond 72 bytes: bcrypt reads no further."""
    name = next(FRESH)
    body = {"username": name, "password": password, "email": f"{name}@example.org"}
    assert signing.differ("nobody", "/user", body=body) == ""
    for secret in (password, password + "x", password[:-1], password.upper()):
        assert differ(signing, ADMIN | {"identity": f"{name}@example.org", "secret": secret}) == ""
    assert differ(signing, ADMIN | {"identity": f"{name}@EXAMPLE.org", "secret": password}) == ""


@pytest.mark.parametrize(
    ("method", "target", "headers", "body"),
    [("GET", "/health", {}, None), ("HEAD", "/Health/?x=1", {}, None), ("GET", "/health", {"If-None-Match": "*"}, None),
     ("POST", "/health", JSON, b"{}"), ("OPTIONS", "/metrics", {"Origin": "https://a.example"}, None),
     ("GET", "/", {}, None), ("GET", "//x", {}, None), ("GET", "/nope/%2e%2e/a?b=%00&c", {}, None),
     ("GET", "/internal/status", {}, None), ("GET", "/health/ready", {}, None), ("GET", "/platform/health", {}, None),
     ("POST", "/modules", JSON, b"{"), ("PUT", "/nope", JSON | {"Content-Encoding": "br"}, b"{}"),
     ("DELETE", "/user/%zz/nope", {"Origin": "https://a.example"}, None)],
)  # fmt: skip
def test_what_belongs_to_no_data_is_answered_the_same(
    signing: Signing, method: str, target: str, headers: dict[str, str], body: bytes | None
) -> None:
    """The gateway puts /platform before the path."""
    legacy = ask(signing.monolith_port, target, method, headers, body)
    assert (
        difference(legacy, signing.account.ask(f"/platform{target}", method=method, headers=headers, body=body)) == ""
    )


def test_metrics_have_the_monoliths_series_and_no_more_however_much_is_asked_for(signing: Signing) -> None:
    for number in range(20):
        signing.account.ask(f"/platform/nope-{number}?{number}", method="GET" if number % 2 else "PROPFIND")
    told = signing.account.ask("/platform/METRICS/")
    assert told.headers["content-type"] == "text/plain; charset=utf-8; version=0.0.4"
    assert b'http_exceptions{method="GET",status="404",path="other"} ' in told.body
    assert b'http_requests_bucket{method="other",status="4XX",path="other",le="+Inf"} 10' in told.body
    assert told.body.count(b"http_exceptions{") < 12


def test_a_deleted_user_still_logs_in(signing: Signing) -> None:
    """Fault F12; and the identity stays the e-mail of the sign-up."""
    name = next(FRESH)
    login = ADMIN | {"identity": f"{name}@example.org", "secret": PASSWORD}
    assert signing.sign_up(name) == ""
    second = {"email": f"{name}-2@example.org"}
    assert signing.differ("admin", f"/user/{{user:{name}}}/email", body=second) == ""
    assert differ(signing, login | {"identity": second["email"]}) == ""
    assert signing.differ("admin", f"/user/{{user:{name}}}", "DELETE") == ""
    assert [answer.status for answer in signing.both("nobody", "/auth/token", body=login)] == [201, 201]
    assert differ(signing, login) == ""
