"""What a recording holds: what is on the lists, and no secret in any place."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strangler_gateway.recording.body import LeftOut
from strangler_gateway.recording.scrub import Scrubber
from strangler_gateway.recording.secrets import Pseudonyms, tells_secret
from strangler_gateway.recording.step import RecordedStep
from strangler_gateway.recording.tap import CapturedExchange

JSON, FORM, HTML = b"application/json", b"application/x-www-form-urlencoded", b"text/html; charset=utf-8"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJlLW9mLWEtdG9rZW4"
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----"


def captured(**given: Any) -> CapturedExchange:
    values: dict[str, Any] = {
        "route": "notes",
        "caller": b"",
        "method": "GET",
        "target": "/notes",
        "fields": [],
        "body": b"",
        "status": 200,
        "answer_fields": [(b"Content-Type", JSON)],
        "answer": b"{}",
        "origin": "http://gateway",
    }
    return CapturedExchange(**values | given)


def step(**given: Any) -> RecordedStep:
    return Scrubber().step(captured(**given))


def sent(body: object, media_type: bytes = JSON) -> dict[str, Any]:
    return {
        "method": "POST",
        "fields": [(b"content-type", media_type)],
        "body": body if isinstance(body, bytes) else json.dumps(body).encode(),
    }


def test_a_step_has_the_form_of_the_recordings() -> None:
    assert step(target="/notes/7?x=1", caller=b"Bearer a", fields=[(b"Accept", b"application/json")]).line() == {
        "step": "notes-1",
        "actor": "u1",
        "method": "GET",
        "path": "/notes/7?x=1",
        "request": {"headers": (("Accept", "application/json"),), "body": None},
        "response": {"status": 200, "headers": (("Content-Type", "application/json"),), "body": "{}"},
        "captures": {},
        "flags": [],
    }


SECRET = "s3cr3t-Value"
PLACES: dict[str, dict[str, Any]] = {
    "authorization": {"fields": [(b"Authorization", f"Bearer {SECRET}".encode())]},
    "authorization without a scheme": {"fields": [(b"authorization", SECRET.encode())]},
    "basic": {"fields": [(b"Authorization", f"Basic {SECRET}".encode())]},
    "cookie": {"fields": [(b"Cookie", f"a=b; session={SECRET}".encode())]},
    "cookie without a name": {"fields": [(b"Cookie", SECRET.encode())]},
    "set-cookie": {"answer_fields": [(b"Set-Cookie", f"session={SECRET}; Path=/".encode())]},
    "a field of one's own": {"fields": [(b"X-Api-Key", SECRET.encode())]},
    "a field of the answer": {"answer_fields": [(b"X-Token", SECRET.encode()), (b"Content-Type", JSON)]},
    "query": {"target": f"/notes?access_token={SECRET}&x=1"},
    "query that is no form": {"target": f"/notes?token={SECRET}&&x"},
    "location": {"answer_fields": [(b"Location", f"/next?code=1&resetToken={SECRET}".encode())]},
    "json": sent({"password": SECRET}),
    "json, deep": sent({"a": [{"credentials": {"value": [SECRET]}}]}),
    "json answer": {"answer": json.dumps({"data": {"accessToken": SECRET}}).encode()},
    "json, problem type": {
        "answer": json.dumps({"token": SECRET}).encode(),
        "answer_fields": [(b"Content-Type", b"application/problem+json")],
    },
    "form": sent(f"name=ada&password={SECRET}".encode(), FORM),
    "form, encoded": sent(f"name=ada&new%5Fpassword={SECRET}".encode(), FORM),
    "page": {
        "answer": f'<input type="hidden" name="csrf_token" value="{SECRET}">'.encode(),
        "answer_fields": [(b"Content-Type", HTML)],
    },
    "text": {"answer": f"password: {SECRET}".encode(), "answer_fields": [(b"Content-Type", b"text/plain")]},
    "compressed": {
        "answer": gzip.compress(json.dumps({"token": SECRET}).encode()),
        "answer_fields": [(b"Content-Type", JSON), (b"Content-Encoding", b"gzip")],
    },
}


@pytest.mark.parametrize("place", PLACES)
@example(secret=SECRET)
@given(secret=st.from_regex(r"[A-Za-z0-9]{6}[A-Za-z0-9_.-]{4,30}", fullmatch=True))
def test_a_secret_by_its_name_is_nowhere(place: str, secret: str) -> None:
    def other(value: Any) -> Any:
        if isinstance(value, bytes) and value.startswith(b"\x1f\x8b"):
            return gzip.compress(gzip.decompress(value).replace(SECRET.encode(), secret.encode()))
        if isinstance(value, bytes):
            return value.replace(SECRET.encode(), secret.encode())
        if isinstance(value, str):
            return value.replace(SECRET, secret)
        return [tuple(map(other, pair)) for pair in value]

    assert secret not in json.dumps(step(**{name: other(value) for name, value in PLACES[place].items()}).line())


@pytest.mark.parametrize(
    "secret",
    [
        JWT,
        PEM,
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "AKIAABCDEFGHIJKLMNOP",
        "d41d8cd98f00b204e9800998ecf8427e",
        "Zk3-x0_Qp9LmT7vB2nR5yW8cD1fG4hJ6",
        "ada@lovelace.example",
        "ada@例え.テスト",
        "ada@host.xn--zckzah",
        "https://user:pa55word@host.example/",
    ],
)
def test_a_secret_by_its_looks_is_nowhere(secret: str) -> None:
    body = json.dumps({"note": f"see {secret} there"}).encode()
    looked = secret.split(":")[2].split("@")[0] if "//" in secret else secret
    for place in (
        step(answer=body),
        step(**sent(body)),
        step(answer=secret.encode(), answer_fields=[(b"Content-Type", HTML)]),
    ):
        assert looked not in place.answer + place.body


def test_a_secret_is_one_pseudonym_wherever_it_comes_again_and_callers_are_told_apart() -> None:
    scrubber = Scrubber()
    login = scrubber.step(captured(answer=json.dumps({"accessToken": "opaque-token"}).encode()))
    echo = captured(fields=[(b"Authorization", b"Bearer opaque-token")], answer=b'{"echo":"opaque-token"}')
    look = scrubber.step(echo)
    assert login.answer == '{"accessToken":"secret-1"}'
    assert (look.fields, look.answer) == ((("Authorization", "Bearer secret-1"),), '{"echo":"secret-1"}')
    callers = (b"x a", b"x b", b"x a")
    steps = [scrubber.step(captured(caller=caller, fields=[(b"Authorization", caller)])) for caller in callers]
    assert ([one.actor for one in steps], len({one.fields for one in steps})) == (["u1", "u2", "u1"], 2)


@pytest.mark.parametrize(
    "body",
    ['{ "id" : 1.0,\t"b":[ ]}', '{"id":"6f9619ff-8b86-4011-b42d-00c04fc964ff"}', '{"_id":"507f1f77bcf86cd799439011"}'],
)
def test_what_holds_no_secret_stays_byte_for_byte(body: str) -> None:
    tag = b'W/"26-KN9+GRrw436ebXqCqUc77p4Wpx0"'
    one = step(
        fields=[(b"If-None-Match", tag)], answer_fields=[(b"Content-Type", JSON), (b"ETag", tag)], answer=body.encode()
    )
    assert (one.answer, one.fields) == (body, (("If-None-Match", tag.decode()),))
    assert ("ETag", tag.decode()) in one.answer_fields
    assert step(**sent(b"a=b+c&d=%20", FORM)).body == "a=b+c&d=%20"


@pytest.mark.parametrize(
    "exchange",
    [
        sent(b'{"password": "x", "password": "y"}'),
        sent(b'{"password": "hunter22",}'),
        sent(b"[" * 100_000),
        sent(b"no form at all", FORM),
        sent(b"\x89PNG", b"image/png"),
        sent(b"--b\r\n", b"multipart/form-data"),
        {
            "answer": gzip.compress(b"0" * 4_000_000),
            "answer_fields": [(b"Content-Type", JSON), (b"Content-Encoding", b"gzip")],
        },
        {"target": "/reset/" + JWT.replace("e", "%65", 1)},
    ],
    ids=["name twice", "no json", "deep", "no form", "image", "multipart", "bomb", "encoded secret in the path"],
)
def test_what_is_not_understood_is_left_out(exchange: dict[str, Any]) -> None:
    with pytest.raises(LeftOut):
        step(**exchange)


def test_a_key_in_base64_or_in_a_path_is_nowhere_and_of_other_media_only_that_they_were_there() -> None:
    key = "q83v/3X0b7sQ+9mTz1LkPw2VxYcR5nJfA8dGhE6uBi0="
    assert json.loads(step(answer=json.dumps({"note": key}).encode()).answer)["note"] == "secret-1"
    assert step(target="/reset/Zk3x0Qp9LmT7vB2nR5yW8cD1fG4hJ6/done").target == "/reset/secret-1/done"
    image = step(answer=b"\x89PNG", answer_fields=[(b"Content-Type", b"image/png")])
    assert (image.answer, image.flags) == ("", frozenset({"text"}))
    led = step(answer_fields=[(b"Location", b"http://gateway/notes/1")])
    assert led.answer_fields == (("Location", "{origin}/notes/1"),)


@pytest.mark.parametrize("path", ["/userRead/0E13C93F-9889-4CDB-8748-E180BDBCD172", "/A1b2/C3d4/E5f6/G7h8/I9j0/K1l2"])
def test_ids_and_short_segments_of_a_path_stay(path: str) -> None:
    one = step(target=path, answer=json.dumps({"self": f"http://x{path}"}).encode())
    assert (one.target, json.loads(one.answer)["self"]) == (path, f"http://x{path}")


@pytest.mark.parametrize(
    ("names", "tells"),
    [
        ("password newPassword X-CSRF-Token api_key apiKey APIKEY client_secret pin", True),
        ("author name tokenType expiresIn passwordExpiresAt key spinner", False),
    ],
)
def test_names_that_tell_a_secret(names: str, tells: bool) -> None:
    assert {name for name in names.split() if tells_secret(name) is not tells} == set()


def test_a_pseudonym_of_an_address_is_an_address_and_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strangler_gateway.recording.secrets.MAX_PSEUDONYMS", 2)
    pseudonyms = Pseudonyms()
    assert [pseudonyms.text("a@b.example"), pseudonyms.of("x"), pseudonyms.of("y"), pseudonyms.of("x")] == [
        "secret-1@pseudonym.invalid", "secret-2", "secret-0", "secret-2"
    ]  # fmt: skip
