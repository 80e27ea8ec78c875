"""Account and the stand-in monolith: the same answers, rows and mails for sign-ups and e-mails."""

from itertools import count
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.monolith.storage import tables
from tests.parity.account.signing import PASSWORD, Signing
from tests.parity.account.twins import ACTORS, named, roles_of
from tests.parity.sides import FORM, JSON, UNKNOWN
from tests.support.effort import examples

pytestmark = pytest.mark.walk

FRESH = (f"n{number}" for number in count(1000))
"""Names that are free."""


ADDRESSES: list[object] = [
    "{}@example.org", "{}+tag@example.org", "{}@EXAMPLE.org", "{}@例え.jp", '"a b{}"@example.org', "{}@example.org\n",
    "{}\r\nBcc: everybody@example.org", "{}@example.org\0", '"\r\n{}"@example.org', "Somebody <{}@example.org>",
    " {}@example.org", "", "{}", "{}@localhost", "x" * 61 + "{}@example.org",
    "{}" + "x" * 55 + "@" + ("x" * 60 + ".") * 3 + "y" * 56 + ".org", ["{}@example.org"],
    [f"{number}{{}}@example.org" for number in range(1000)], {"email": "{}@example.org"}, None, 5, True, {}, [],
]  # fmt: skip
"""What both rules say of other texts stands in test_same_addresses.py."""


def fresh(value: object, name: str) -> object:
    """Puts a new name into each placeholder, so that the address is free."""
    match value:
        case str():
            return value.replace("{}", name)
        case list():
            return [fresh(item, name) for item in value]
        case dict():
            return {key: fresh(item, name) for key, item in value.items()}
        case _:
            return value


@pytest.mark.parametrize("number", range(len(ADDRESSES)))
def test_whatever_is_given_as_an_address(signing: Signing, number: int) -> None:
    name, another = next(FRESH), next(FRESH)
    body = {"username": name, "password": PASSWORD, "email": fresh(ADDRESSES[number], name)}
    assert signing.differ("nobody", "/user", body=body) == ""
    assert signing.differ("nobody", "/user", body=body | {"username": f"{name}-"}) == ""
    for actor in ("user", "admin", "guest"):
        added = {"email": fresh(ADDRESSES[number], f"{another}{actor[:1]}")}
        assert signing.differ(actor, "/user/@me/email", body=added) == ""
        assert signing.differ(actor, "/user/@me/email", "GET") == ""
    assert signing.unlike() == []


NAMES: list[object] = [
    "{}", "{}é✓", "{}\U0001f600", "\U0001f600" * 15 + "{}", "\U0001f600" * 16 + "{}", "{}\u2028", " {} ", "<b>{}</b>",
    "{}\r\nBcc: x", "{}\0", "'; DROP TABLE--", "${{7*7}}{}", "x" * 15 + "{}", "x" * 16 + "{}", "ab", "", "   ",
    None, 12345, True, ["{}"], {"a": "{}"}, "{}\x7f\x80\x9f\xff", "Captain", "captain",
]  # fmt: skip


PASSWORDS: list[object] = [
    "12345678", "1234567", "x" * 72, "x" * 73, "x" * 255, "x" * 256, "é" * 8, "\U0001f600" * 255, "\U0001f600" * 7,
    " " * 8, "a\0bcdefgh", "\0" * 8, None, 12345678, True, ["12345678"], {}, "",
]  # fmt: skip


FIELDS = [*(("username", value) for value in NAMES), *(("password", value) for value in PASSWORDS)]


@pytest.mark.parametrize("number", range(len(FIELDS)))
def test_whatever_is_given_as_a_name_or_a_password(signing: Signing, number: int) -> None:
    name, (field, value) = next(FRESH), FIELDS[number]
    body = {"username": name, "password": PASSWORD, "email": f"{name}@example.org"} | {field: fresh(value, name)}
    for _ in range(2):
        assert signing.differ("nobody", "/user", body=body) == ""
    assert signing.unlike() == []


BODIES: list[object] = [
    {}, {"username": "abcdef"}, {"username": "abcdef", "password": PASSWORD}, {"email": "missing@example.org"}, [],
    [{}],
    {"username": "abcdef", "password": PASSWORD, "email": "more@example.org", "description": "x"},
    {"username": "abcdef", "password": PASSWORD, "email": "more@example.org", "points": 1000},
    {"username": "abcdef", "password": PASSWORD, "email": "more@example.org", "isVerified": True},
    b"", b" ", b"{bad", b'{"username": "a",}', b'"text"', b"5", b"null", b"[", b"\xff\xfe{}", b"\xef\xbb\xbf{}",
    b'{"username": "first12", "username": "second12", "password": "correct horse", "email": "twice@example.org"}',
    b'{"username": "half\\ud800", "password": "correct horse", "email": "half@example.org"}',
    b'{"username": "halfpass", "password": "correct\\udc00horse", "email": "halfpass@example.org"}',
    b'{"__proto__": {"username": "xyz"}, "password": "correct horse", "email": "proto@example.org"}',
    b'{"a":' * 100 + b"1" + b"}" * 100, b'{"email":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    b'{"username":"big123","email":"big@example.org","password":"' + b"x" * 102_400 + b'"}',
    b'{"username":"big123","email":"big@example.org","password":"' + b"x" * 102_300 + b'"}',
    b'{"username":"big123","password":"correct horse","email":"' + b"x" * 102_000 + b'@example.org"}',
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(BODIES)))
@pytest.mark.parametrize(
    ("actor", "target"),
    [("nobody", "/user"), ("user", "/user/@me/email"), ("guest", "/user/@me/email"),
     ("nobody", f"/user/email/regenerate-token/{UNKNOWN}"), ("nobody", f"/user/email/validate/{UNKNOWN}")],
)  # fmt: skip
def test_whatever_is_sent_as_a_body(signing: Signing, actor: str, target: str, number: int) -> None:
    assert signing.differ(actor, target, body=BODIES[number]) == ""
    assert signing.unlike() == []


@pytest.mark.parametrize(
    ("headers", "body"),
    [(FORM, b"username=by-form&password=correct+horse+9&email=by-form%40example.org"),
     (FORM, b"username=by-form&password=correct+horse+9&email=again%40example.org"),
     (FORM, b"username=%C3%A9%E2%9C%93x&password=%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9&email=e%40e.org"),
     (FORM, b"username[]=array1&password=correct+horse&email=array%40example.org"),
     (FORM, b"username=double&username=double&password=correct+horse&email=double%40example.org"),
     (FORM, b"username=some-more&password=correct+horse&email=more%40example.org&extra="), (FORM, b""), (FORM, b"a=b"),
     (FORM, b"&".join([b"username=b"] * 1001)), (FORM | {"Content-Encoding": "br"}, b"a=b"),
     ({"Content-Type": "application/x-www-form-urlencoded; charset=latin1"}, b"a=b"),
     ({"Content-Type": "text/plain"}, b'{"username": "not-read", "password": "12345678", "email": "n@example.org"}'),
     ({}, b'{"username": "not-read", "password": "12345678", "email": "n@example.org"}'),
     (JSON | {"Content-Encoding": "gzip"}, b"{}"), ({"Content-Type": "application/json; charset=latin1"}, b"{}"),
     ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x--")],
)  # fmt: skip
def test_bodies_of_other_kinds(signing: Signing, headers: dict[str, str], body: bytes) -> None:
    assert signing.differ("nobody", "/user", body=body, headers=headers) == ""
    assert signing.differ("user", "/user/@me/email", body=body, headers=headers) == ""
    assert signing.unlike() == []


@settings(max_examples=examples(40), deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["username", "password", "email", "description"]),
        st.one_of(
            st.none(), st.text(max_size=22), st.integers(), st.booleans(), st.emails(), st.just([]),
            st.from_regex(r"[a-z]{4,12}", fullmatch=True),
            st.from_regex(r"[a-z.]{4,6}@[a-z]{2,5}\.org", fullmatch=True),
        ),
        max_size=4,
    )
)  # fmt: skip
def test_any_sign_up(signing: Signing, body: dict[str, object]) -> None:
    assert signing.differ("nobody", "/user", body=body) == ""
    assert signing.differ("user", "/user/@me/email", body={"email": body["email"]} if "email" in body else body) == ""


@pytest.mark.parametrize("actor", ACTORS)
def test_everybody_may_the_same(signing: Signing, actor: str) -> None:
    """With ids of nothing and bodies that break the rules, so that nothing is written: the guards come first."""
    ids = signing.ids
    own = [spelling for name in ("user", "guest", "admin") for spelling in (ids[name], ids[name].upper())]
    users = ["@me", "%40me", "@ME", ids["deleted"], UNKNOWN, *own, ids["user"].replace("-", ""), "abc", "%zz", "%00"]
    emails = [UNKNOWN, UNKNOWN.upper(), UNKNOWN.replace("-", ""), f"%7B{UNKNOWN}%7D", "abc", "%zz", "%00", "a+b"]
    asked: list[tuple[str, str, object]] = [("GET", f"/user/{user}/email", None) for user in users]
    asked += [("POST", f"/user/{user}/email", {"nope": 1}) for user in users]
    asked += [("DELETE", f"/user/{user}/email/{email}", None) for user in users for email in emails]
    assert [(one, found) for one in asked if (found := signing.differ(actor, one[1], one[0], one[2]))] == []


@pytest.mark.parametrize("actor", ["nobody", "nonsense", "guest", "user", "admin"])
def test_what_needs_no_credential_looks_at_none(signing: Signing, actor: str) -> None:
    for spelling in (UNKNOWN, UNKNOWN.upper(), "abc", "%zz", "%00", "a%00b", "a%2Fb", "x" * 300, "%C3%A9", "null", "-"):
        for route in ("validate", "regenerate-token", "VALIDATE", "Regenerate-Token"):
            for slash in ("", "/"):
                assert signing.differ(actor, f"/user/email/{route}/{spelling}{slash}") == ""
    name = next(FRESH)
    body = {"username": name, "password": PASSWORD, "email": f"{name}@example.org"}
    assert signing.differ(actor, "/user", body=body) == ""
    assert signing.unlike() == []


def test_from_sign_up_to_a_verified_user(signing: Signing) -> None:
    name = next(FRESH)
    mail = f"{name}@example.org"
    assert signing.sign_up(name) == ""
    assert [roles_of(file, named(file, tables.users, "username", name)["id"]) for file in signing.files] == [
        {"guest"}, {"guest"},
    ]  # fmt: skip
    for target in ("/user/@me/email", "/user/@me", "/user/@me/settings"):
        assert signing.differ(name, target, "GET") == ""
    assert signing.differ(name, "/user/@me/email", body={}) == ""
    old = [named(file, tables.user_emails, "email", mail)["verification_token"] for file in signing.files]
    assert signing.differ("nobody", f"/user/email/regenerate-token/{{id:{mail}}}", body={"a": 1}) == ""
    assert [signing.both("nobody", f"/user/email/validate/{token}")[side].status for side, token in enumerate(old)] == [
        404, 404,
    ]  # fmt: skip
    link = f"/user/email/validate/{{token:{mail}}}"
    fresh_token = [named(file, tables.user_emails, "email", mail)["verification_token"] for file in signing.files]
    assert signing.differ("nobody", link) == ""
    assert signing.mailed(mail, 2) == ([old[0], fresh_token[0]], [old[1], fresh_token[1]])
    for side, token in enumerate(fresh_token):
        assert signing.both("nobody", f"/user/email/validate/{token}")[side].status == 404
    assert [roles_of(file, named(file, tables.users, "username", name)["id"]) for file in signing.files] == [
        {"guest", "user"}, {"guest", "user"},
    ]  # fmt: skip
    assert signing.differ("nobody", f"/user/email/regenerate-token/{{id:{mail}}}") == ""
    assert signing.log_in(name) == ""
    assert signing.differ(name, "/user/@me/email", "GET") == ""
    assert signing.unlike() == []


def test_e_mails_that_come_and_go(signing: Signing) -> None:
    name, another = next(FRESH), next(FRESH)
    assert (signing.sign_up(name), signing.sign_up(another)) == ("", "")
    for one in (name, another):
        assert signing.differ("nobody", f"/user/email/validate/{{token:{one}@example.org}}") == ""
        assert signing.log_in(one) == ""
    second = f"{name}-2@example.org"
    assert signing.differ(name, "/user/@me/email", body={"email": second}) == ""
    for taken in (second, f"{another}@example.org"):
        assert signing.differ(name, "/user/@me/email", body={"email": taken}) == ""
    assert signing.differ(name, "/user/@me/email", body={"email": second.upper()}) == ""
    assert signing.differ(name, f"/user/{{user:{another}}}/email", body={"email": "x@example.org"}) == ""
    assert signing.differ("admin", f"/user/{UNKNOWN}/email", body={"email": second}) == ""
    assert signing.differ("admin", f"/user/{{user:{name}}}/email", body={"email": f"{name}-3@example.org"}) == ""
    for _ in range(2):  # verified twice: the role is there already
        for address in (second, f"{name}-3@example.org"):
            signing.differ("nobody", f"/user/email/validate/{{token:{address}}}")
    assert signing.differ(name, f"/user/@me/email/{{id:{second.upper()}}}", "DELETE") == ""
    assert signing.differ(name, f"/user/@me/email/{{id:{another}@example.org}}", "DELETE") == ""  # fault F9
    assert signing.differ("admin", f"/user/abc/email/{{id:{name}-3@example.org}}", "DELETE") == ""
    assert [signing.differ(one, "/user/@me/email", "GET") for one in (name, another)] == ["", ""]
    gone = {"username": next(FRESH), "password": PASSWORD, "email": f"{another}@example.org"}
    assert signing.differ("nobody", "/user", body=gone) == ""  # its login is still there
    assert signing.unlike() == []


def test_a_user_that_is_gone_leaves_an_e_mail_that_cannot_be_verified(signing: Signing) -> None:
    name = next(FRESH)
    mail = f"{name}@example.org"
    assert signing.sign_up(name) == ""
    assert signing.differ("admin", f"/user/{{user:{name}}}", "DELETE") == ""
    assert signing.differ("nobody", f"/user/email/validate/{{token:{mail}}}") == ""
    assert signing.differ("nobody", f"/user/email/regenerate-token/{{id:{mail}}}") == ""
    assert signing.differ("nobody", f"/user/email/validate/{{token:{mail}}}") == ""
    body = {"username": name, "password": PASSWORD, "email": mail}
    assert signing.differ("nobody", "/user", body=body) == ""
    assert signing.differ("nobody", "/user", body=body | {"email": f"{name}-2@example.org"}) == ""
    for target, method, sent in (("", "GET", None), ("", "POST", {"email": f"{name}-9@example.org"})):
        assert signing.differ(name, f"/user/@me/email{target}", method, sent) == ""
    assert signing.unlike() == []
    assert [len(tokens) for tokens in signing.mailed(mail, 1)] == [1, 1]


def test_development_tells_which_rule_is_broken(signing_in_development: Signing) -> None:
    for body in [*BODIES, *(fresh({field: value}, "abc") for field, value in FIELDS)]:
        assert (body, signing_in_development.differ("nobody", "/user", body=body)) == (body, "")
    for address in ADDRESSES:
        body = {"email": fresh(address, "dev")}
        assert (address, signing_in_development.differ("user", "/user/@me/email", body=body)) == (address, "")
    for target in ("abc", UNKNOWN, quote("a\0b")):
        assert signing_in_development.differ("nobody", f"/user/email/validate/{target}") == ""
        assert signing_in_development.differ("nobody", f"/user/email/regenerate-token/{target}") == ""
        assert signing_in_development.differ("user", f"/user/@me/email/{target}", "DELETE") == ""
    assert signing_in_development.unlike() == []
