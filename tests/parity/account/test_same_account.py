"""Account and the stand-in monolith give the same answers and write the same rows for users, settings and teams."""

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.monolith.storage import tables
from tests.parity.account.twins import ACTORS, Twins
from tests.parity.sides import UNKNOWN
from tests.support.effort import examples

pytestmark = pytest.mark.walk

TOUCHED = (tables.users, tables.user_settings, tables.user_emails, tables.team_members, tables.transactions)


def users_of(twins: Twins) -> list[str]:
    """Every spelling of a user's id, and some that name nobody."""
    own = [spelling for name in ("user", "guest", "admin") for spelling in (twins.ids[name], twins.ids[name].upper())]
    odd = [twins.ids["user"].replace("-", ""), f"%7B{twins.ids['user']}%7D", f"{twins.ids['user']}%0A", "not-a-uuid"]
    return ["@me", "%40me", "@ME", twins.ids["deleted"], UNKNOWN, *own, *odd, "%zz", "%00", "a+b"]


@pytest.mark.parametrize("actor", ACTORS)
def test_everybody_reads_every_user_the_same(twins: Twins, actor: str) -> None:
    targets = [f"/user/{user}{rest}" for user in users_of(twins) for rest in ("", "/teams", "/settings")]
    assert [(target, found) for target in targets if (found := twins.differ(actor, target))] == []


@pytest.mark.parametrize("actor", ACTORS)
def test_everybody_reads_every_list_and_team_the_same(twins: Twins, actor: str) -> None:
    team = twins.ids["team"]
    spellings = (team, team.upper(), f"%7B{team}%7D", team.replace("-", ""), UNKNOWN, "abc", "%zz", "%00", "@me")
    targets = ["/user", "/team", *(f"/team/{spelling}" for spelling in spellings)]
    assert [(target, found) for target in targets if (found := twins.differ(actor, target))] == []


@pytest.mark.parametrize("actor", ACTORS)
def test_everybody_is_refused_the_same_writes(twins: Twins, actor: str) -> None:
    """The body is invalid, so nothing is written; the guards come before the rules."""
    users = users_of(twins)
    writes = [("PATCH", ""), ("PATCH", "/settings"), ("POST", "/settings/reset")]
    wrong = [
        (method, user, rest, found)
        for method, rest in writes
        for user in users
        if (found := twins.differ(actor, f"/user/{user}{rest}", method, {"nope": 1}))
    ]
    assert wrong == []


QUERIES = [
    "", "page=2&limit=2", "page=-1", "limit=101", "page=99999999999999999999", "page=9007199254740991&limit=100",
    "page=922337203685477582&limit=10", "page=922337203685477581", "order-by={}", "order-by={}:", "order-by={}:DESC",
    "order-by={}:sideways", "order-by={}:null", "order-by={}:desc%20nulls%20first", "order-by={}:NULLS%20LAST",
    "order-by={}:descending", "order-by={}:1", "order-by=email:asc,{}:desc", "order-by={}:desc,{}:null", "order-by=",
    "order-by={}:asc&order-by={}:desc", "order-by[]={}", "order-by={}:x&limit=101",
    "{}=red", "{}=RED&order-by={}:desc", "{}=", "{}=%25", "{}=_", "{}=a%25b", "{}=%5C", "{}=%5C%25", "{}=%5C_",
    "{}=m%25%5C%25", "{}=%zz", "{}=a%00b", "{}=%00", "{}=_%5C%00", "{}=%C3", "{}=%C3%89", "{}=red&{}=blue",
    "{}[]=red", "{}[]=re&{}[]=d", "{}[a]=red", "{}[a][b]=c", "{}=member&limit=2&page=2&order-by={}:asc",
    "order-by=points:desc,username:asc&limit=3", "order-by=username:asc,points:desc", "points=7",
    "order-by=points:asc&limit=3&page=2", "order-by=points:desc,username", "order-by=username:asc&username=_",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_queries(twins: Twins, query: str) -> None:
    for target in (f"/user?{query.replace('{}', 'username')}", f"/team?{query.replace('{}', 'name')}"):
        assert twins.differ("user", target) == ""


ORDERS = st.lists(
    st.sampled_from(["username:asc", "points:desc", "points:ASC", "username", "points:x", "email:asc", "", "name:asc"]),
    max_size=3, unique_by=lambda order: order.split(":")[0],
).map(",".join)  # fmt: skip
PARAMETERS = st.one_of(
    st.tuples(st.sampled_from(["page", "limit"]), st.integers(-2, 102).map(str)),
    st.tuples(st.just("order-by"), ORDERS),
    st.tuples(st.sampled_from(["username", "name"]), st.text(max_size=3)),
)


@settings(max_examples=examples(80), deadline=None)
@given(target=st.sampled_from(["/user", "/team"]), parameters=st.lists(PARAMETERS, max_size=4))
def test_any_query_of_known_parameters(twins: Twins, target: str, parameters: list[tuple[str, str]]) -> None:
    query = "&".join(f"{name}={quote(value)}" for name, value in dict(parameters).items())
    assert twins.differ("user", f"{target}?{query}") == ""


@pytest.mark.parametrize(
    "path",
    ["/USER", "/user/", "/User/@me/", "/user//", "//user", "/user/@me/TEAMS/", "/user/@me/Settings?x", "/users",
     "/user/@me/teams/x", "/user/@me/settings/reset", "/user/@me/email/x/y", "/user/%40ME", "/user/a/b/c", "/%75ser",
     "/TEAM/",
     "/team/a/b", "/team//", "/user/@me/%74eams", "/user/@me/nope", "/nope?a=%zz", "/"],
)  # fmt: skip
@pytest.mark.parametrize("actor", ["nobody", "user"])
def test_paths(twins: Twins, actor: str, path: str) -> None:
    assert twins.differ(actor, path) == ""


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "https://polycode.do-2021.fr"}, {"If-None-Match": "*"}, {"Accept-Encoding": "gzip"},
     {"Origin": "null", "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}],
)  # fmt: skip
def test_methods_and_header_fields(twins: Twins, method: str, headers: dict[str, str]) -> None:
    for target in ("/user/@me", "/user", "/team", "/user/@me/settings", "/user?limit=101", "/user/@me/settings/reset"):
        assert twins.differ("user", target, method, headers=headers) == ""


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_methods_that_no_route_takes(twins: Twins, method: str) -> None:
    for target in ("/user/@me/teams", "/team/abc/nope", "/user/@me/settings/nope"):
        assert twins.differ("user", target, method) == ""


LONG, LONGER = "x" * 20, "x" * 21
USER_BODIES: list[object] = [
    {}, {"description": "hello é ✓ \U0001f600"}, {"description": ""}, {"description": None},
    {"description": "x" * 3000},
    {"username": "abc"}, {"username": LONG}, {"username": "\U0001f600" * 20}, {"username": "a\u2028b"},
    {"username": "   "},
    {"username": "ab"}, {"username": LONGER}, {"username": ""}, {"username": None}, {"username": 12345},
    {"username": ["abc"]},
    {"username": "Captain"}, {"username": "captain"}, {"username": "CAPTAIN"}, {"username": "a\0b"},
    {"description": "a\0b"},
    {"username": "both", "description": "both"}, {"username": "Captain", "description": "lost"}, {"username": "both"},
    {"description": 1}, {"description": {}}, {"points": 1}, {"id": UNKNOWN}, {"username": "abcd", "rank": 1}, [], [{}],
    [1],
    b'{"username": "first", "username": "second"}', b'{"description": "\\ud800"}', b'{"username": "\\ud83d\\ude00ab"}',
    b'{"description": "\\u0000"}', b"{bad", b'"text"', b"", b" ", b'{"__proto__": {"username": "xyz"}}',
    b'{"a":' * 100 + b"1" + b"}" * 100, b'{"description":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    b'{"description":"' + b"x" * 102_400 + b'"}', {"description": "the last one"},
]  # fmt: skip
SETTINGS_BODIES: list[object] = [
    {}, {"preferredEditingLanguage": "PYTHON", "preferredLanguage": "fr"}, {"preferredEditingLanguage": "cobol"},
    {"preferredLanguage": "de"}, {"preferredLanguage": "EN"}, {"preferredLanguage": None},
    {"preferredEditingLanguage": None},
    {"preferredEditingLanguage": ""}, {"preferredEditingLanguage": "x" * 255}, {"preferredEditingLanguage": "x" * 256},
    {"preferredEditingLanguage": "a\0b"}, {"preferredEditingLanguage": 1}, {"preferredLanguage": ["en"]},
    {"theme": "dark"},
    {"preferredLanguage": "en", "theme": 1}, [], b"{", b"",
    {"preferredEditingLanguage": "JAVA", "preferredLanguage": "en"},
]  # fmt: skip


def test_changes_of_a_user_answer_and_leave_the_same(twins: Twins) -> None:
    targets = ("@me", twins.ids["user"])
    for index, body in enumerate(USER_BODIES):
        assert (body, twins.differ("user", f"/user/{targets[index % 2]}", "PATCH", body)) == (body, "")
        assert (body, twins.differ("user", "/user/@me")) == (body, "")
    assert_alike(twins)


def test_changes_of_settings_answer_and_leave_the_same(twins: Twins) -> None:
    for body in SETTINGS_BODIES:
        assert (body, twins.differ("user", "/user/@me/settings", "PATCH", body)) == (body, "")
        assert (body, twins.differ("user", "/user/@me/settings")) == (body, "")
    assert_alike(twins)


@settings(max_examples=examples(60), deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["username", "description", "points"]),
        st.one_of(st.none(), st.text(max_size=22), st.integers(), st.booleans(), st.lists(st.none(), max_size=1)),
        max_size=2,
    )
)
def test_any_change_of_a_user(twins: Twins, body: dict[str, object]) -> None:
    assert twins.differ("captain", "/user/@me", "PATCH", body) == ""
    assert twins.differ("user", "/user/@me", "PATCH", body) == ""


def test_an_administrator_changes_and_deletes_anybody_the_same(twins: Twins) -> None:
    victim, admin = twins.ids["captain"], "admin"
    for target in (victim, victim.upper(), UNKNOWN, twins.ids["deleted"]):
        assert twins.differ(admin, f"/user/{target}", "PATCH", {"description": "by admin"}) == ""
        assert twins.differ(admin, f"/user/{target}/settings", "PATCH", {"preferredLanguage": "fr"}) == ""
        assert twins.differ(admin, f"/user/{target}/settings/reset", "POST", {}) == ""
    assert twins.differ("captain", "/user/@me", "DELETE") == ""
    for _ in range(2):
        assert twins.differ(admin, f"/user/{victim}", "DELETE") == ""
    assert twins.differ(admin, f"/user/{UNKNOWN}", "DELETE") == ""
    assert_alike(twins)


def test_who_deletes_itself_is_gone_and_its_token_still_passes_the_guards(twins: Twins) -> None:
    for target in ("/user/@me", "/user/@me/settings", "/user/@me/teams"):
        assert twins.differ("user", target) == ""
    for method, target in (("DELETE", ""), ("DELETE", ""), ("GET", ""), ("PATCH", ""), ("PATCH", "/settings")):
        assert twins.differ("user", f"/user/@me{target}", method, {} if method == "PATCH" else None) == ""
    for target in ("/user", "/team", "/user/@me/teams", f"/team/{twins.ids['team']}"):
        assert twins.differ("user", target) == ""
    assert_alike(twins)


def test_development_mode_is_the_same_too(twins_in_development: Twins) -> None:
    twins = twins_in_development
    reads = ("/user", "/user?limit=101", "/user?order-by=points:x", "/user/@me", "/user/abc", "/team/abc", "/nope")
    assert [(target, found) for target in reads if (found := twins.differ("user", target))] == []
    for target, bodies in (("/user/@me", USER_BODIES), ("/user/@me/settings", SETTINGS_BODIES)):
        for body in bodies:
            assert (body, twins.differ("user", target, "PATCH", body)) == (body, "")


def assert_alike(twins: Twins) -> None:
    """The same rows on both sides, and in the same order where the store's own order shows."""
    for table in TOUCHED:
        monolith, account = twins.rows(table)
        assert account == monolith, table.name
    assert twins.differ("admin", "/user?limit=100") == ""
    assert twins.differ("admin", "/team?limit=100") == ""
