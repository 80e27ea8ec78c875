"""Sign-up: who signs up here is a user to the monolith, too; of several at once one is first."""

from functools import partial

import pytest

from tests.unit.extracted.account.conftest import Mailing
from tests.unit.extracted.account.mails import (
    PASSWORD,
    at_once,
    counted,
    email,
    fresh,
    login,
    mails_to,
    newcomer,
    posted,
    signed_up,
    token,
    who,
)

pytestmark = pytest.mark.walk

CONFLICT = b'{"statusCode":409,"message":"Resource already exists","error":"Conflict"}'
AT_ONCE = 8


@pytest.mark.parametrize(
    "password", [PASSWORD, "é✓ long \U0001f600\U0001f600", "x" * 71 + "éy", "x" * 255, "a\0bcdefgh"]
)
def test_who_signs_up_here_logs_in_at_the_monolith(mailing: Mailing, password: str) -> None:
    name = fresh()
    signed_up(mailing.strict, name, password=password)
    assert login(mailing, f"{name}@example.org", password) == 201
    assert login(mailing, f"{name}@example.org", "another password") == 401
    assert login(mailing, name, password) == 401


@pytest.mark.parametrize("same", [("username",), ("email",), ("username", "email")])
def test_of_several_at_once_one_is_made_and_the_others_leave_nothing(mailing: Mailing, same: tuple[str, ...]) -> None:
    wanted = newcomer(fresh())
    others = [newcomer(fresh()) | {name: wanted[name] for name in same} for _ in range(AT_ONCE)]
    before = counted(mailing.data)
    services = (mailing.strict, mailing.improved)
    calls = [partial(posted, services[number % 2], "/user", body) for number, body in enumerate(others)]
    assert at_once(calls) == [201] + [409] * (AT_ONCE - 1)
    assert [after - old for after, old in zip(counted(mailing.data), before, strict=True)] == [1] * len(before)
    last = f"{fresh()}@example.org"
    signed_up(mailing.strict, fresh(), email=last)
    mails_to(mailing, last, 1)  # what was asked for before has come by now, or close to it
    addresses = {str(body["email"]) for body in others}
    assert len([mail for mail in mailing.received if mail["recipient"] in addresses]) == 1


def test_a_login_that_outlived_its_e_mail_is_a_500_or_a_conflict_and_nothing_is_left(mailing: Mailing) -> None:
    name = fresh()
    user_id = signed_up(mailing.strict, name)
    row = email(mailing.data, f"{name}@example.org")
    assert row is not None
    mailing.improved.ask(f"/user/@me/email/{row['id']}", who(user_id), method="DELETE")
    before = counted(mailing.data)
    again = newcomer(fresh(), email=f"{name}@example.org")
    assert posted(mailing.strict, "/user", again).body == b'{"statusCode":500,"message":"Internal Server Error"}'
    assert posted(mailing.improved, "/user", again).body == CONFLICT
    assert counted(mailing.data) == before
    assert login(mailing, f"{name}@example.org", PASSWORD) == 201


def test_nothing_that_identifies_somebody_is_logged(mailing: Mailing) -> None:
    name = fresh()
    for body in (newcomer(name), newcomer(name), newcomer(name, username="a\0bcd"), newcomer(name, extra=1)):
        posted(mailing.strict, "/user", body)
    logged = mailing.strict.log.read_text()
    for secret in (name, PASSWORD, token(mailing.data, f"{name}@example.org")):
        assert secret not in logged
