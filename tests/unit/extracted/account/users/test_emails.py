"""E-mails: what happens at once, what either way of compat answers, and what mail is asked for."""

import json
from functools import partial

import pytest

from chassis.auth.claims import Identity
from examples.monolith.storage import tables
from tests.unit.extracted.account.conftest import Mailing
from tests.unit.extracted.account.mails import (
    JSON,
    at_once,
    email,
    fresh,
    mails_to,
    newcomer,
    posted,
    signed_up,
    token,
    who,
)
from tests.unit.extracted.running import Answer, RunningService

pytestmark = pytest.mark.walk

UNKNOWN = "00000000-0000-4000-8000-000000000000"
FAILED = b'{"statusCode":500,"message":"Internal Server Error"}'
UNEXPECTED = b'{"statusCode":500,"message":"Internal server error"}'
NOT_FOUND = b'{"statusCode":404,"message":"Resource not found","error":"Not Found"}'
ROUNDS = 5


def verified(mailing: Mailing) -> tuple[Identity, str]:
    """A newcomer, and the address."""
    name = fresh()
    user = who(signed_up(mailing.strict, name))
    assert posted(mailing.strict, f"/user/email/validate/{token(mailing.data, f'{name}@example.org')}").status == 204
    return user, f"{name}@example.org"


def email_id(mailing: Mailing, address: str) -> str:
    row = email(mailing.data, address)
    assert row is not None
    return str(row["id"])


def deleted(service: RunningService, user: Identity, email_id: str) -> Answer:
    return service.ask(f"/user/@me/email/{email_id}", user, method="DELETE")


def test_a_link_opened_several_times_at_once_verifies_once(mailing: Mailing) -> None:
    for _ in range(ROUNDS):
        name = fresh()
        user_id = signed_up(mailing.strict, name)
        target = f"/user/email/validate/{token(mailing.data, f'{name}@example.org')}"
        calls = [partial(posted, service, target) for service in (mailing.strict, mailing.improved) for _ in range(2)]
        assert at_once(calls) == [204, 404, 404, 404]
        subject_id = mailing.data.subject_of(user_id)
        roles = [row for row in mailing.data.rows(tables.auth_subject_roles) if row["subject_id"] == subject_id]
        assert len(roles) == 2


def test_of_several_that_add_one_address_at_once_one_gets_it(mailing: Mailing) -> None:
    users = [verified(mailing)[0] for _ in range(3)]
    for _ in range(ROUNDS):
        body = {"email": f"{fresh()}@example.org"}
        calls = [partial(posted, mailing.strict, "/user/@me/email", body, user) for user in users]
        assert at_once(calls) == [201, 409, 409]
        assert len(mails_to(mailing, body["email"], 1)) == 1


def test_an_address_of_who_is_deleted_at_the_same_moment_is_added_or_not(mailing: Mailing) -> None:
    for _ in range(ROUNDS):
        user, _ = verified(mailing)
        address = f"{fresh()}@example.org"
        calls = [
            partial(posted, mailing.strict, "/user/@me/email", {"email": address}, user),
            partial(mailing.strict.ask, "/user/@me", user, method="DELETE"),
        ]
        assert at_once(calls) in ([201, 204], [204, 404])
        row = email(mailing.data, address)
        assert row is None or row["user_id"] is None


def test_who_verifies_while_a_new_token_is_made_has_or_has_not_verified(mailing: Mailing) -> None:
    for _ in range(ROUNDS):
        name = fresh()
        signed_up(mailing.strict, name)
        address = f"{name}@example.org"
        renew = f"/user/email/regenerate-token/{email_id(mailing, address)}"
        calls = [
            partial(posted, mailing.strict, f"/user/email/validate/{token(mailing.data, address)}"),
            partial(posted, mailing.strict, renew),
        ]
        assert at_once(calls) in ([204, 404], [204, 409])
        row = email(mailing.data, address)
        assert row is not None
        assert row["is_verified"] is (row["verification_token"] is None)


def test_an_e_mail_is_deleted_without_an_answer_or_only_ones_own(mailing: Mailing) -> None:
    """Strict deletes any (F9) and answers 500 (C1)."""
    (user, own), (_, foreign) = verified(mailing), verified(mailing)
    its = email_id(mailing, foreign)
    answer = deleted(mailing.improved, user, email_id(mailing, own))
    assert (answer.status, answer.body) == (204, b"")
    assert deleted(mailing.improved, user, its).body == NOT_FOUND
    assert (email(mailing.data, own), email(mailing.data, foreign) is not None) == (None, True)
    assert deleted(mailing.strict, user, its).body == UNEXPECTED
    assert email(mailing.data, foreign) is None
    for service in (mailing.strict, mailing.improved):
        assert deleted(service, user, its).body == NOT_FOUND


def test_an_administrator_deletes_by_the_user_of_the_path_where_improved(mailing: Mailing) -> None:
    user, address = verified(mailing)
    admin, its = who(UNKNOWN, "admin"), email_id(mailing, address)
    for path, status in (("abc", 400), (UNKNOWN, 404), (str(user.subject).upper(), 204), (str(user.subject), 404)):
        assert mailing.improved.ask(f"/user/{path}/email/{its}", admin, method="DELETE").status == status


def test_what_the_monolith_lets_its_database_refuse(mailing: Mailing) -> None:
    target = "/user/email/regenerate-token/abc"
    assert posted(mailing.strict, target).body == FAILED
    assert posted(mailing.improved, target).body == NOT_FOUND
    user, name = verified(mailing)[0], fresh()
    too_long = f"{name}@{'x.' * 120}org"
    nul, long = newcomer(fresh(), username="a\0bcd"), newcomer(name, email=too_long)
    for path, body in (("/user", nul), ("/user", long), ("/user/@me/email", {"email": too_long})):
        assert posted(mailing.strict, path, body, user).body == FAILED
        assert posted(mailing.improved, path, body, user).status == 400
    assert email(mailing.data, too_long) is None


def test_an_added_or_renewed_address_gets_a_mail_in_the_users_language_where_improved(mailing: Mailing) -> None:
    for service, locale in ((mailing.strict, "en"), (mailing.improved, "fr")):
        user, _ = verified(mailing)
        french = json.dumps({"preferredLanguage": "fr"}).encode()
        service.ask("/user/@me/settings", user, method="PATCH", headers=JSON, body=french)
        address = f"{fresh()}@example.org"
        assert posted(service, "/user/@me/email", {"email": address}, user).status == 201
        first = token(mailing.data, address)
        assert posted(service, f"/user/email/regenerate-token/{email_id(mailing, address)}").status == 204
        asked = mails_to(mailing, address, 2)
        assert {(mail["kind"], mail["locale"]) for mail in asked} == {("verify_account", locale)}
        assert {mail["variables"]["token"] for mail in asked} == {first, token(mailing.data, address)}


def test_the_oldest_comes_first_whatever_was_verified_since(mailing: Mailing) -> None:
    user, address = verified(mailing)
    more = [f"{fresh()}@example.org" for _ in range(3)]
    for one in more:
        assert posted(mailing.strict, "/user/@me/email", {"email": one}, user).status == 201
    assert posted(mailing.strict, f"/user/email/validate/{token(mailing.data, more[1])}").status == 204
    shown = json.loads(mailing.strict.ask("/user/@me/email", user).body)
    assert [one["email"] for one in shown["data"]] == [address, *more]
    assert shown["metadata"] == {"count": 4}
