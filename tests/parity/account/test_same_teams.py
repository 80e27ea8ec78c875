"""Account and the stand-in monolith: the same answers, rows and mails for teams and members."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parity.account.teaming import Teaming
from tests.parity.account.twins import ACTORS
from tests.parity.sides import UNKNOWN
from tests.support.effort import examples

pytestmark = pytest.mark.walk


WRONG = {"nope": 1}
"""An invalid body for every route, so nothing is written; the guards come before the rules."""


@pytest.mark.parametrize("actor", ACTORS)
def test_everybody_is_refused_the_same(teams: Teaming, actor: str) -> None:
    team = teams.ids["team"]
    odd = [UNKNOWN, "abc", "%zz", "%00", "@me", "a+b", f"{UNKNOWN}%0A", f"%7B{UNKNOWN}%7D"]
    spellings = [team, team.upper(), team.replace("-", ""), f"%7B{team}%7D", f"{team}%3A%3Acaptain", "<<Red>>", *odd]
    writes: list[tuple[str, str, object]] = [("/team", "POST", WRONG)]
    writes += [(f"/team/{one}", "PATCH", WRONG) for one in spellings]
    writes += [(f"/team/{one}/members", method, WRONG) for method in ("POST", "DELETE") for one in spellings]
    writes += [(f"/team/{one}", "DELETE", None) for one in odd]
    found = [(*write[:2], teams.differ(actor, *write)) for write in writes]
    assert [one for one in found if one[2]] == []
    assert teams.unlike() == []


LONG = "x" * 20
NEW: list[object] = [
    {"name": "abc"}, {"name": "abc"}, {"name": "ABC", "description": ""}, {"name": LONG, "description": "x" * 255},
    {"name": "\U0001f600" * 20, "description": "é ✓ \u2028 \U0001f600"}, {"name": "   "}, {"name": "a\u2028b"},
    {"name": "it's 'one'"}, {"name": "%_\\"}, {"name": "nul", "description": None}, {"name": "<b>&amp;</b>"},
    {"name": "ab"}, {"name": "x" * 21}, {"name": ""}, {"name": None}, {"name": 12345}, {"name": ["abc"]}, {"name": {}},
    {"name": True}, {}, {"description": "no name"}, {"name": "long", "description": "x" * 256},
    {"name": "wrong", "description": 1}, {"name": "wrong", "description": {}}, {"name": "wrong", "description": [""]},
    {"name": "a\0b"}, {"name": "text", "description": "a\0b"}, {"name": "Red"}, {"name": "Blue_%", "description": "x"},
    {"name": "more", "members": []}, {"name": "more", "id": UNKNOWN}, [], [{"name": "abcd"}], [1],
    b'{"name": "\xe9\xe8\xff"}', b'{"name": "\\ud800abc"}', b'{"name": "first", "name": "second"}', b"{bad", b'"text"',
    b"", b" ", b'{"__proto__": {"name": "xyz"}}', b'{"name":' * 100 + b"1" + b"}" * 100,
    b'{"name":' + b"[" * 20_000 + b"]" * 20_000 + b"}", b'{"name": "big", "description":"' + b"x" * 102_400 + b'"}',
]  # fmt: skip


def test_new_teams(teams: Teaming) -> None:
    for body in NEW:
        assert (body, teams.differ("Ada", "/team", "POST", body)) == (body, "")
        assert (body, teams.unlike()) == (body, [])
    assert teams.differ("Ada", "/team?limit=100", "GET") == ""


CHANGES: list[object] = [
    *NEW, {"description": None}, {"description": "only"}, {"description": "only"}, {}, {"name": "Changing"},
    {"name": "Red", "description": "lost"}, {"name": None, "description": "lost"}, {"name": "Changing"},
]  # fmt: skip


def test_changes_of_a_team(teams: Teaming) -> None:
    assert teams.does("Ada", "POST", "/team", {"name": "Changing", "description": "first"}) == 201
    for body in CHANGES:
        assert (body, teams.differ("Ada", "/team/<<Changing>>", "PATCH", body)) == (body, "")
        assert (body, teams.unlike()) == (body, [])
        assert (body, teams.differ("Ada", "/team/<<Changing>>", "GET")) == (body, "")


WHO: list[object] = [
    {}, {"userId": None}, {"userId": 1}, {"userId": ["<<Bob>>"]}, {"userId": {"id": "<<Bob>>"}}, {"userId": ""},
    {"userId": "@me"}, {"userId": "abc"}, {"userId": UNKNOWN}, {"userId": UNKNOWN.replace("-4", "-1")},
    {"userId": "{<<Bob>>}"}, {"userId": "<<Bob>>\n"}, {"userId": "<<Bob>>", "role": "captain"}, {"user_id": "<<Bob>>"},
    {"userId": "<<deleted>>"}, {"userId": "a\0b"}, [], ["<<Bob>>"], b"", b"{", b'"x"', b'{"userId": "\xe9"}',
    b'{"userId": "' + b"x" * 102_400 + b'"}', None,
]  # fmt: skip


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("actor", ["admin", "user", "captain", "Bob"])
def test_bodies_that_name_nobody_to_add_or_to_remove(teams: Teaming, method: str, actor: str) -> None:
    for body in WHO:
        assert (body, teams.differ(actor, "/team/<<team>>/members", method, body)) == (body, "")
    assert teams.unlike() == []


@dataclass(frozen=True)
class Does:
    """One request of a conversation, and the status that both sides must answer."""

    actor: str
    method: str
    target: str
    body: object
    status: int


BOB, EVE, SILENT, ADA = ({"userId": f"<<{name}>>"} for name in ("Bob", "Eve", "Silent", "Ada"))
LIFE = [
    Does("Ada", "POST", "/team", {"name": "Greens", "description": "d"}, 201),
    Does("Eve", "POST", "/team", {"name": "Greens"}, 409),
    Does("Eve", "POST", "/team", {"name": "Others"}, 201),
    Does("Ada", "POST", "/team/<<Greens>>/members", BOB, 201),
    Does("Ada", "POST", "/team/<<Greens>>/members", BOB, 409),
    Does("Ada", "POST", "/team/<<Greens>>/members", ADA, 409),
    Does("Ada", "POST", "/team/<<Greens>>/members", SILENT, 201),
    Does("Ada", "POST", "/team/<<Greens>>/members", {"userId": UNKNOWN}, 404),
    Does("Eve", "POST", "/team/<<Greens>>/members", EVE, 403),
    Does("Bob", "POST", "/team/<<Greens>>/members", EVE, 403),
    Does("admin", "POST", "/team/<<Greens>>/members", EVE, 201),
    Does("Eve", "PATCH", "/team/<<Greens>>", {"description": "foreign captain"}, 403),
    Does("Bob", "PATCH", "/team/<<Greens>>", {"description": "member"}, 403),
    Does("admin", "PATCH", "/team/<<Greens>>", {"description": "by admin"}, 200),
    Does("Eve", "DELETE", "/team/<<Greens>>/members", BOB, 403),
    Does("Bob", "DELETE", "/team/<<Greens>>/members", EVE, 403),
    Does("Ada", "DELETE", "/team/<<Greens>>/members", ADA, 409),
    Does("admin", "DELETE", "/team/<<Greens>>/members", ADA, 409),
    Does("Bob", "DELETE", "/team/<<Greens>>/members", BOB, 200),
    Does("Bob", "DELETE", "/team/<<Greens>>/members", BOB, 404),
    Does("Bob", "DELETE", "/team/<<Others>>/members", BOB, 404),
    Does("Bob", "DELETE", f"/team/{UNKNOWN}/members", BOB, 404),
    Does("Ada", "DELETE", "/team/<<Greens>>/members", EVE, 200),
    Does("Ada", "DELETE", "/team/<<Greens>>/members", SILENT, 200),
    Does("Ada", "POST", "/team/<<Greens>>/members", BOB, 201),
    Does("Eve", "DELETE", "/team/<<Greens>>", None, 403),
    Does("Bob", "DELETE", "/team/<<Greens>>", None, 403),
    Does("Ada", "DELETE", "/team/<<Greens>>", {"userId": "of no use"}, 204),
    Does("Ada", "DELETE", "/team/<<Greens>>", None, 403),
    Does("admin", "DELETE", "/team/<<Greens>>", None, 404),
    Does("admin", "PATCH", "/team/<<Greens>>", {"name": "Gone"}, 404),
    Does("admin", "POST", "/team/<<Greens>>/members", BOB, 404),
    Does("Ada", "POST", "/team", {"name": "Greens"}, 201),
    Does("admin", "DELETE", "/team/<<Others>>", None, 204),
]


def test_the_life_of_a_team_and_the_mail_that_goes_with_it(teams: Teaming) -> None:
    for one in LIFE:
        assert (one, teams.does(one.actor, one.method, one.target, one.body)) == (one, one.status)
    asked = teams.asked()
    assert {address for _, address, _ in asked} == {"bob-0@example.org", "eve-0@example.org"}
    assert asked.total() >= 5
    assert teams.sent(asked) == asked


def test_ids_in_capitals_are_anothers_to_the_guards_and_the_same_to_the_rest(teams: Teaming) -> None:
    bob, team = teams.ids["Bob"].upper(), teams.ids["team"].upper()
    for actor in ("admin", "user", "captain", "Bob"):
        for target in ("/team/<<team>>/members", f"/team/{team}/members"):
            for method in ("POST", "POST", "DELETE", "DELETE"):
                assert teams.differ(actor, target, method, {"userId": bob}) == ""
        assert teams.differ(actor, f"/team/{team}", "PATCH", {"description": actor}) == ""
    assert teams.unlike() == []


def test_a_captain_whose_email_is_not_verified_changes_its_team_and_nothing_else(teams: Teaming) -> None:
    assert teams.does("captain", "POST", "/team", {"name": "Not mine"}) == 403
    assert teams.does("captain", "POST", "/team/<<team>>/members", {"userId": "<<captain>>"}) == 201
    assert teams.does("captain", "PATCH", "/team/<<team>>", {"description": "by the second captain"}) == 200
    assert teams.does("captain", "DELETE", "/team/<<team>>/members", {"userId": "<<captain>>"}) == 200
    assert teams.does("guest", "DELETE", "/team/<<team>>/members", {"userId": "<<guest>>"}) == 403


def test_who_has_deleted_itself_makes_no_team_and_adds_nobody(teams: Teaming) -> None:
    teams.add_user("Gone", "admin")
    for file in teams.files:
        file.delete_user(teams.ids["Gone"])
    assert teams.does("Gone", "POST", "/team", {"name": "By nobody"}) == 500
    assert teams.does("Gone", "POST", "/team", {"name": "Red"}) == 409
    assert teams.does("Gone", "POST", "/team/<<team>>/members", {"userId": "<<Bob>>"}) == 404
    assert teams.does("Gone", "DELETE", "/team/<<team>>/members", {"userId": "<<Bob>>"}) == 404
    assert teams.does("Gone", "PATCH", "/team/<<team>>", {"description": "by an administrator who is gone"}) == 200


def test_a_team_without_roles_takes_nobody_in_on_either_side(teams: Teaming) -> None:
    """Made by a test, not by the monolith."""
    assert teams.does("admin", "POST", "/team/<<Red>>/members", {"userId": "<<Bob>>"}) == 500
    assert teams.does("admin", "DELETE", "/team/<<redder>>", None) == 204


@pytest.mark.parametrize(
    "path",
    ["/TEAM", "/team/", "/Team/<<team>>/", "/team/<<team>>/MEMBERS", "/team/<<team>>/members/", "/team//members",
     "/team/<<team>>/members/x", "/team/<<team>>/%6Dembers", "/teams", "/team/a/b", "//team"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_paths(teams: Teaming, method: str, path: str) -> None:
    for actor in ("nobody", "guest"):
        assert teams.differ(actor, path, method, {"name": "not made"}) == ""


VALUES = st.one_of(st.none(), st.text(max_size=22), st.integers(), st.booleans(), st.lists(st.none(), max_size=1))


@settings(max_examples=examples(60), deadline=None)
@given(
    method=st.sampled_from(["POST", "PATCH"]),
    body=st.dictionaries(st.sampled_from(["name", "description", "points"]), VALUES, max_size=2),
)
def test_any_body(teams: Teaming, method: str, body: dict[str, object]) -> None:
    target = "/team" if method == "POST" else f"/team/{teams.ids['team']}"
    assert teams.differ("admin", target, method, body) == ""


def test_development_mode_is_the_same_too(teams_in_development: Teaming) -> None:
    teams = teams_in_development
    for body in NEW:
        assert (body, teams.differ("Ada", "/team", "POST", body)) == (body, "")
    for body in CHANGES:
        assert (body, teams.differ("user", "/team/<<team>>", "PATCH", body)) == (body, "")
    for body in WHO:
        for method in ("POST", "DELETE"):
            assert (body, teams.differ("user", "/team/<<team>>/members", method, body)) == (body, "")
    for target in ("/team/abc", "/team/abc/members", f"/team/{UNKNOWN}"):
        assert teams.differ("admin", target, "DELETE", {"userId": "<<Bob>>"}) == ""
    assert teams.unlike() == []
