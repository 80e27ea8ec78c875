"""Where the monolith is known to be wrong: `strict` keeps it, `improved` answers what was promised (README.md)."""

import json
import uuid
from dataclasses import dataclass

import pytest

from chassis.auth.claims import AuthenticationOutcome, Identity
from tests.support.monolith_file import MonolithData
from tests.unit.extracted.running import Answer, RunningService

UNKNOWN = "00000000-0000-4000-8000-000000000000"
FAILED = (500, b'{"statusCode":500,"message":"Internal Server Error"}')
BAD_REQUEST = (400, b'{"statusCode":400,"message":"Bad Request"}')
NOT_FOUND = (404, b'{"statusCode":404,"message":"Resource not found","error":"Not Found"}')
CONFLICT = (409, b'{"statusCode":409,"message":"Resource already exists","error":"Conflict"}')
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Fault:
    """A request, and what either way of compat answers."""

    target: str
    improved: tuple[int, bytes]
    method: str = "GET"
    body: object = None
    strict: tuple[int, bytes] = FAILED


FAULTS = {
    "a taken name": Fault("/user/@me", CONFLICT, "PATCH", {"username": "taken-by-another"}),
    "a taken name beside a description": Fault(
        "/user/@me", CONFLICT, "PATCH", {"username": "taken-by-another", "description": "lost"}
    ),
    "a name of null": Fault("/user/@me", BAD_REQUEST, "PATCH", {"username": None}),
    "NUL in a text": Fault("/user/@me", BAD_REQUEST, "PATCH", {"description": "a\0b"}),
    "a language too long for its column": Fault(
        "/user/@me/settings", BAD_REQUEST, "PATCH", {"preferredEditingLanguage": "x" * 256}
    ),
    "an id of a team that is none": Fault("/team/abc", NOT_FOUND),
    "an order without direction": Fault("/user?order-by=points", BAD_REQUEST),
    "an order of an unknown direction": Fault("/team?order-by=name:sideways", BAD_REQUEST),
    "a page too far": Fault("/team?page=99999999999999999999", BAD_REQUEST),
}


@pytest.fixture(scope="module")
def user(monolith: MonolithData) -> Identity:
    monolith.add_user(username="taken-by-another")
    subject = monolith.add_user("guest", "user")
    monolith.add_settings(subject, "cobol", "fr")
    return Identity(AuthenticationOutcome.USER, subject, ("guest", "user"))


def sent(service: RunningService, identity: Identity, fault: Fault) -> tuple[int, bytes]:
    body = None if fault.body is None else json.dumps(fault.body).encode()
    return told(service.ask(fault.target, identity, method=fault.method, headers=JSON, body=body))


def told(answer: Answer) -> tuple[int, bytes]:
    return answer.status, answer.body


@pytest.mark.parametrize("name", FAULTS)
def test_a_known_fault(account: RunningService, improved: RunningService, user: Identity, name: str) -> None:
    fault = FAULTS[name]
    before = told(account.ask("/user/@me", user))
    assert sent(account, user, fault) == fault.strict
    assert sent(improved, user, fault) == fault.improved
    assert told(account.ask("/user/@me", user)) == before


def test_a_reset_of_settings_never_finds_them_or_makes_them_those_of_a_new_user(
    account: RunningService, improved: RunningService, user: Identity
) -> None:
    mine = b'{"metadata":{},"data":{"preferredEditingLanguage":"cobol","preferredLanguage":"fr"}}'
    fresh = b'{"metadata":{},"data":{"preferredEditingLanguage":"javascript","preferredLanguage":"en"}}'
    target = "/user/@me/settings"
    assert told(account.ask(f"{target}/reset", user, method="POST")) == NOT_FOUND
    assert told(account.ask(target, user)) == (200, mine)
    for _ in range(2):
        assert told(improved.ask(f"{target}/reset", user, method="POST")) == (201, fresh)
    assert told(account.ask(target, user)) == (200, fresh)


def test_what_does_not_exist_is_404_either_way(account: RunningService, improved: RunningService) -> None:
    admin = Identity(AuthenticationOutcome.USER, str(uuid.uuid4()), ("admin",))
    for service in (account, improved):
        for change in ({"username": "taken-by-another"}, {"username": None}, {"description": "a\0b"}):
            assert sent(service, admin, Fault(f"/user/{UNKNOWN}", NOT_FOUND, "PATCH", change)) == NOT_FOUND
        assert sent(service, admin, Fault(f"/user/{UNKNOWN}/settings/reset", NOT_FOUND, "POST")) == NOT_FOUND


def test_whom_the_guards_refuse_learns_of_no_fault(account: RunningService, improved: RunningService) -> None:
    guest = Identity(AuthenticationOutcome.USER, str(uuid.uuid4()), ("guest",))
    for service in (account, improved):
        for fault in FAULTS.values():
            assert sent(service, guest, fault)[0] == 403
