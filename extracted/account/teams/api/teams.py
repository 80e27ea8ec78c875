"""Teams and who is in them (contract §4.4)."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from chassis.auth.claims import Identity
from extracted.account import domain
from extracted.account.api.lists import listed
from extracted.account.api.refusals import Described, NoId
from extracted.account.domain import Compat, Member, Team, Unfit
from extracted.account.service import Account
from extracted.account.teams.team_writing import TeamWrites, TeamWriting
from extracted.wire import answers, validation
from extracted.wire.answers import ApiResponse, error
from extracted.wire.application import ApiRequest
from extracted.wire.ids import canonical_uuid, is_uuid
from extracted.wire.validation import STRING, UUID_V4, Shape, length, optional, required

_NAME, _DESCRIPTION = (STRING, *length(3, 20)), (STRING, *length(0, 255))
NEW: Shape = {"name": required(*_NAME), "description": optional(*_DESCRIPTION)}
CHANGES: Shape = {"name": optional(*_NAME), "description": optional(*_DESCRIPTION)}
WHO: Shape = {"userId": required(UUID_V4)}
INVALID_TEAM_ID: Final = error(400, "Validation failed (uuid  is expected)", "Bad Request")
_UNFIT: Final[Mapping[Unfit, ApiResponse]] = {
    Unfit.UNKNOWN: answers.NOT_FOUND,
    Unfit.ALREADY_MEMBER: error(409, "User is already a member of the team", "Conflict"),
    Unfit.NOT_MEMBER: error(404, "User is not a member of the team", "Not Found"),
    Unfit.CAPTAIN: error(409, "You cannot delete the captain of a team", "Conflict"),
}


def routes(account: Account) -> Iterator[Described]:
    """What reads."""
    yield "GET", "/team", _reads_teams, partial(_list, account)
    yield "GET", "/team/{id}", _reads_team, partial(_get, account)


def write_routes(team_writes: TeamWrites, compat: Compat) -> Iterator[Described]:
    """What writes, where mail can be asked for."""
    writing = TeamWriting(team_writes, compat)
    yield "POST", "/team", _creates, partial(_create, writing)
    yield "PATCH", "/team/{id}", _changes, partial(_change, writing)
    yield "DELETE", "/team/{id}", _changes, partial(_delete, writing)
    yield "POST", "/team/{id}/members", _changes, partial(_add_member, writing)
    yield "DELETE", "/team/{id}/members", _removes, partial(_remove_member, writing)


def _reads_teams(_call: ApiRequest, identity: Identity) -> bool:
    return domain.may_read_users(identity.roles)


def _reads_team(call: ApiRequest, identity: Identity) -> bool:
    return domain.may_read_team(identity.roles, call.variables[0])


def _creates(_call: ApiRequest, identity: Identity) -> bool:
    return domain.may_create_team(identity.roles)


def _changes(call: ApiRequest, identity: Identity) -> bool:
    return domain.may_change_team(identity.roles, call.variables[0])


def _removes(call: ApiRequest, identity: Identity) -> bool:
    """Oneself as spelled: one's own id in capitals is another's."""
    own = isinstance(call.body, dict) and call.body.get("userId") == identity.subject
    return domain.may_remove_member(identity.roles, call.variables[0], own=own)


async def _list(account: Account, call: ApiRequest, _identity: Identity) -> ApiResponse:
    return await listed(call, account.teams.select, _shown, order_keys=("name",), filter_key="name")


async def _get(account: Account, call: ApiRequest, _identity: Identity) -> ApiResponse:
    team = await account.teams.find(_team_id(call))
    return answers.NOT_FOUND if team is None else answers.one(_shown(team))


async def _create(writing: TeamWriting, call: ApiRequest, identity: Identity) -> ApiResponse:
    refusal = validation.refusal(NEW, call.body)
    if refusal is not None:
        return refusal
    team = await writing.create(identity.subject or "", validation.texts(call.body))
    if isinstance(team, Unfit):
        raise NoId("the caller is no user any more")  # the monolith lets its database fail over it
    return answers.one(_shown(team), 201)


async def _change(writing: TeamWriting, call: ApiRequest, _identity: Identity) -> ApiResponse:
    refusal = validation.refusal(CHANGES, call.body)
    if refusal is not None:
        return refusal
    team = await writing.change(_team_id(call), validation.texts(call.body))
    return answers.NOT_FOUND if team is None else answers.one(_shown(team))


async def _delete(writing: TeamWriting, call: ApiRequest, identity: Identity) -> ApiResponse:
    deleted = await writing.delete(_team_id(call), identity.subject or "")
    return answers.nothing(204) if deleted else answers.NOT_FOUND


async def _add_member(writing: TeamWriting, call: ApiRequest, identity: Identity) -> ApiResponse:
    user_id = _who(call)
    if isinstance(user_id, ApiResponse):
        return user_id
    return _settled(await writing.add_member(_team_id(call), user_id, identity.subject or ""), 201)


async def _remove_member(writing: TeamWriting, call: ApiRequest, _identity: Identity) -> ApiResponse:
    user_id = _who(call)
    return (
        user_id if isinstance(user_id, ApiResponse) else _settled(await writing.remove_member(_team_id(call), user_id))
    )


def _team_id(call: ApiRequest) -> str:
    """Raises NoId."""
    team_id = canonical_uuid(call.variables[0])
    if team_id is None:
        raise NoId("the id of the path is no UUID")
    return team_id


def _who(call: ApiRequest) -> str | ApiResponse:
    """The user of the body; below /members the team's id is looked at first, and by the stricter rule."""
    if not is_uuid(call.variables[0]):
        return INVALID_TEAM_ID
    return validation.refusal(WHO, call.body) or str(validation.texts(call.body)["userId"]).lower()


def _settled(team: Team | Unfit, status: int = 200) -> ApiResponse:
    return _UNFIT[team] if isinstance(team, Unfit) else answers.one(_shown(team), status)


def _shown(team: Team) -> dict[str, object]:
    members = [_shown_member(member) for member in team.members]
    return {"id": team.id, "name": team.name, "description": team.description, "members": members}


def _shown_member(member: Member) -> dict[str, object]:
    return {"id": member.id, "username": member.username, "points": member.points, "role": member.role}
