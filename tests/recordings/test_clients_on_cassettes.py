"""Our own HTTP clients on recorded answers: what the stand-in says about callers.

CASSETTES=rewrite in the environment records them again from a running stand-in.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import vcr  # type: ignore[import-untyped]  # vcrpy has no types

from chassis.auth.claims import AuthenticationOutcome, Identity, IdentityUnavailable
from strangler_gateway.identity.introspect import IntrospectProvider
from strangler_gateway.identity.rules import IntrospectOptions
from tests.recordings.running import running_monolith
from tests.support.monolith.monolith_file import SECRET, MonolithFile

CASSETTES = Path(__file__).with_name("cassettes")
REWRITE = os.environ.get("CASSETTES") == "rewrite"
PLACE = "http://other-side.example"
USER = "7f0e2c1a-5d0b-4b58-9d3e-0a1b2c3d4e5f"
CREDENTIALS = {
    "known": "Bearer known",
    "another scheme": "Basic known",
    "nonsense": "Bearer nonsense",
    "alone": "Bearer",
}


@contextmanager
def cassette(name: str, known: str = "") -> Iterator[Any]:
    """Plays the cassette and nothing else. `known`: a token that must not be stored in it."""

    def kept(request: Any) -> Any:
        request.uri = re.sub(r"http://[^/]+", PLACE, request.uri)
        if known and "authorization" in request.headers:
            request.headers["authorization"] = request.headers["authorization"].replace(known, "known")
        return request

    recorder = vcr.VCR(
        match_on=("method", "uri", "headers"),
        record_mode="all" if REWRITE else "none",
        before_record_request=kept,
        filter_headers=["user-agent", "accept-encoding", "connection", "host"],
    )
    with recorder.use_cassette(str(CASSETTES / name)) as tape:
        yield tape


@pytest.fixture
def monolith(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Its address and the token of a known user; real ones only while recording."""
    if not REWRITE:
        yield PLACE, "known"
        return
    path = tmp_path / "monolith.sqlite3"
    with running_monolith(path, environ={"AUTH_JWT_SECRET": SECRET}) as running:
        file = MonolithFile(path)
        yield running.url, file.login(file.add_user("guest", "user", user_id=USER, username="known"))
        file.close()


@pytest.mark.parametrize(
    ("credential", "outcome", "subject"),
    [
        ("known", AuthenticationOutcome.USER, USER),
        ("another scheme", AuthenticationOutcome.USER, USER),
        ("nonsense", AuthenticationOutcome.REJECTED, None),
        ("alone", AuthenticationOutcome.REJECTED, None),
    ],
)
async def test_the_monolith_is_asked_who_it_is(
    monolith: tuple[str, str], credential: str, outcome: AuthenticationOutcome, subject: str | None
) -> None:
    url, token = monolith
    sent = CREDENTIALS[credential].replace("known", token)
    options = IntrospectOptions(f"{url}/user/@me", ["authorization"], user="$.data.id")
    with cassette(f"who-{credential.replace(' ', '-')}.yaml", token) as tape:
        identity = await asked(options, sent)
        assert (identity.outcome, identity.subject) == (outcome, subject)
        assert REWRITE or tape.all_played


async def test_what_is_no_answer_about_a_caller_is_no_refusal(monolith: tuple[str, str]) -> None:
    url, _token = monolith
    options = IntrospectOptions(f"{url}/nowhere", ["authorization"], user="$.data.id")
    with cassette("nowhere.yaml"), pytest.raises(IdentityUnavailable, match="404"):
        await asked(options, "Bearer nonsense")


async def asked(options: IntrospectOptions, credential: str) -> Identity:
    provider = IntrospectProvider(options)
    try:
        fields = [(b"Authorization", credential.encode())]
        return await provider.confirm(Identity(AuthenticationOutcome.MISSING), fields)
    finally:
        await provider.aclose()
