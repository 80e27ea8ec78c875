"""Teams, their members, and what a captain may."""

import sqlite3
from collections.abc import Callable

import pytest

from tests.unit.examples.monolith.client import Answer, Client, fresh_name

NewUser = Callable[..., Client]
UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def captain(verified: NewUser) -> Client:
    return verified()


@pytest.fixture
def team(captain: Client) -> str:
    answer = captain.post("/team", {"name": fresh_name(), "description": "first"})
    assert answer.status == 201, answer.content
    return str(answer.data["id"])


def members(answer: Answer) -> list[tuple[str, str]]:
    return [(member["id"], member["role"]) for member in answer.data["members"]]


def test_a_team_begins_with_its_captain(captain: Client, team: str) -> None:
    answer = captain.get(f"/team/{team}")
    assert list(answer.data) == ["id", "name", "description", "members"]
    assert list(answer.data["members"][0]) == ["id", "username", "points", "role"]
    assert members(answer) == [(captain.id, "captain")]


@pytest.mark.parametrize(
    ("name", "description", "status"),
    [
        ("ab", None, 400),
        ("abc", None, 201),
        ("a" * 20, "", 201),
        ("a" * 21, None, 400),
        ("abcd", "d" * 255, 201),
        ("abcd", "d" * 256, 400),
        ("abcd", 1, 400),
        (None, None, 400),
        ("a\0b", None, 500),
    ],
)
def test_a_team_s_name_and_description_have_their_lengths(
    captain: Client, database: sqlite3.Connection, name: str | None, description: object, status: int
) -> None:
    answer = captain.post("/team", {"name": name, "description": description})
    assert answer.status == status
    database.execute("DELETE FROM team WHERE name = ?", (name,))


def test_a_taken_name_is_a_conflict_at_first_and_a_500_later(captain: Client, team: str) -> None:
    name = captain.get(f"/team/{team}").data["name"]
    assert captain.post("/team", {"name": name}).status == 409
    other = captain.post("/team", {"name": fresh_name()}).data["id"]
    changed = captain.patch(f"/team/{other}", {"name": name})
    assert (changed.status, changed.json["message"]) == (500, "Internal Server Error")
    assert captain.patch(f"/team/{other}", {"name": None}).status == 500


def test_captain_and_admin_change_a_team_and_nobody_else(
    captain: Client, team: str, admin: Client, verified: NewUser
) -> None:
    member = verified()
    assert captain.post(f"/team/{team}/members", {"userId": member.id}).status == 201
    statuses = [who.patch(f"/team/{team}", {"description": "x"}).status for who in (captain, admin, member, verified())]
    assert statuses == [200, 200, 403, 403]
    assert captain.get(f"/team/{team}").data["description"] == "x"


def test_a_changed_user_moves_to_the_end_of_its_teams(captain: Client, team: str, verified: NewUser) -> None:
    """As its row does in PostgreSQL."""
    member = verified()
    captain.post(f"/team/{team}/members", {"userId": member.id})
    assert members(captain.get(f"/team/{team}")) == [(captain.id, "captain"), (member.id, "member")]
    captain.patch("/user/@me", {"description": "new"})
    moved = [(member.id, "member"), (captain.id, "captain")]
    assert members(captain.get(f"/team/{team}")) == moved
    member.patch("/user/@me", {})
    assert members(captain.get(f"/team/{team}")) == moved


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("{team}", {"userId": "{captain}"}, 409, "User is already a member of the team"),
        ("{team}", {"userId": UNKNOWN}, 404, "Resource not found"),
        ("{team}", {"userId": "@me"}, 400, "Bad Request"),
        ("{team}", {"userId": "{captain}", "role": "captain"}, 400, "Bad Request"),
        (UNKNOWN, {"userId": "{captain}"}, 404, "Resource not found"),
        ("abc", {}, 400, "Validation failed (uuid  is expected)"),
    ],
)
def test_who_cannot_be_added_is_said(
    admin: Client, captain: Client, team: str, path: str, body: dict[str, str], status: int, message: str
) -> None:
    sent = {name: value.replace("{captain}", captain.id) for name, value in body.items()}
    answer = admin.post(f"/team/{path.replace('{team}', team)}/members", sent)
    assert (answer.status, answer.json["message"]) == (status, message)


def test_a_member_leaves_by_itself_and_removes_nobody_else(captain: Client, team: str, verified: NewUser) -> None:
    first, second = verified(), verified()
    for user in (first, second):
        captain.post(f"/team/{team}/members", {"userId": user.id})
    assert first.delete(f"/team/{team}/members", {"userId": second.id}).status == 403
    answer = first.delete(f"/team/{team}/members", {"userId": first.id})
    assert (answer.status, first.id in answer.content.decode()) == (200, False)
    again = first.delete(f"/team/{team}/members", {"userId": first.id})
    assert (again.status, again.json["message"]) == (404, "User is not a member of the team")


def test_a_captain_stays(captain: Client, team: str, admin: Client) -> None:
    for who in (captain, admin):
        answer = who.delete(f"/team/{team}/members", {"userId": captain.id})
        assert (answer.status, answer.json["message"]) == (409, "You cannot delete the captain of a team")


def test_an_id_in_capitals_is_the_same_member(captain: Client, team: str, verified: NewUser) -> None:
    user = verified()
    assert captain.post(f"/team/{team}/members", {"userId": user.id.upper()}).status == 201
    answer = captain.delete(f"/team/{team}/members", {"userId": user.id.upper()})
    assert (answer.status, members(answer)) == (200, [(captain.id, "captain")])


def test_a_team_goes_with_its_roles_and_policies(
    captain: Client, team: str, verified: NewUser, database: sqlite3.Connection
) -> None:
    captain.post(f"/team/{team}/members", {"userId": verified().id})
    (held,) = database.execute(
        "SELECT count(*) FROM auth_subject_roles JOIN auth_role r ON r.id = role_id WHERE r.name LIKE ?",
        (f"team::{team}::%",),
    ).fetchone()
    assert held == 3
    assert captain.delete(f"/team/{team}").status == 204
    assert captain.get(f"/team/{team}").status == 404
    for query in (
        "SELECT count(*) FROM auth_role WHERE name LIKE ?",
        "SELECT count(*) FROM auth_role_policies WHERE attributes LIKE ?",
        "SELECT count(*) FROM team_members WHERE team_id LIKE ?",
    ):
        assert database.execute(query, (f"%{team}%",)).fetchone() == (0,)


def test_a_user_s_teams_are_ids_in_an_object(captain: Client, team: str, guest: Client) -> None:
    assert captain.get("/user/@me/teams").data == {"teams": [{"id": team}]}
    assert guest.get("/user/@me/teams").data == {"teams": []}
    assert guest.get(f"/user/{captain.id}/teams").status == 403


def test_a_user_that_is_gone_makes_no_team(verified: NewUser) -> None:
    user = verified()
    assert user.delete("/user/@me").status == 204
    answer = user.post("/team", {"name": fresh_name()})
    assert (answer.status, answer.json["message"]) == (500, "Internal Server Error")


def test_teams_are_listed_with_all_their_members(captain: Client, team: str, verified: NewUser) -> None:
    member = verified()
    captain.post(f"/team/{team}/members", {"userId": member.id})
    name = captain.get(f"/team/{team}").data["name"]
    answer = captain.get(f"/team?name={name[2:].upper()}&order-by=name:desc")
    assert answer.json["metadata"]["pagination"] == {"page": 1, "limit": 10, "total": 1}
    assert answer.data == [captain.get(f"/team/{team}").data]
