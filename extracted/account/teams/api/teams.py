"""Teams and their members (contract §4.4)."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

from chassis.auth.claims import Identity
from chassis.uuid_text import canonical_uuid
from extracted.account.api.lists import listed
from extracted.account.api.refusals import Described, NoId
from extracted.account.domain import may_read_all
from extracted.account.teams import domain
from extracted.account.teams.domain import Member, MembershipRefusal, Team
from extracted.account.teams.ports import TeamStore
from extracted.account.teams.service import TeamService
from extracted.wire import responses, validation
from extracted.wire.application import ApiRequest
from extracted.wire.ids import is_uuid
from extracted.wire.responses import ApiResponse, error
from extracted.wire.validation import STRING, UUID_V4, Shape, length, optional, required

_NAME, _DESCRIPTION = (STRING, *length(3, 20)), (STRING, *length(0, 255))
NEW: Shape = {"name": required(*_NAME), "description": optional(*_DESCRIPTION)}
CHANGES: Shape = {"name": optional(*_NAME), "description": optional(*_DESCRIPTION)}
WHO: Shape = {"userId": required(UUID_V4)}
INVALID_TEAM_ID: Final = error(400, "Validation failed (uuid  is expected)", "Bad Request")
_REFUSALS: Final[Mapping[MembershipRefusal, ApiResponse]] = {
    MembershipRefusal.UNKNOWN: responses.NOT_FOUND,
    MembershipRefusal.ALREADY_MEMBER: error(409, "User is already a member of the team", "Conflict"),
    MembershipRefusal.NOT_MEMBER: error(404, "User is not a member of the team", "Not Found"),
    MembershipRefusal.CAPTAIN: error(409, "You cannot delete the captain of a team", "Conflict"),
}


def routes(teams: TeamStore) -> Iterator[Described]:
    """The routes that read."""
    yield "GET", "/team", _reads_teams, partial(_list, teams)
    yield "GET", "/team/{id}", _reads_team, partial(_get, teams)


def write_routes(service: TeamService) -> Iterator[Described]:
    """The routes that write; they need a broker, since they send mail."""
    yield "POST", "/team", _creates, partial(_create, service)
    yield "PATCH", "/team/{id}", _changes, partial(_change, service)
    yield "DELETE", "/team/{id}", _changes, partial(_delete, service)
    yield "POST", "/team/{id}/members", _changes, partial(_add_member, service)
    yield "DELETE", "/team/{id}/members", _removes, partial(_remove_member, service)


def _reads_teams(_call: ApiRequest, identity: Identity) -> bool:
    return may_read_all(identity.roles)


def _reads_team(call: ApiRequest, identity: Identity) -> bool:
    return domain.may_read_team(identity.roles, call.variables[0])


def _creates(_call: ApiRequest, identity: Identity) -> bool:
    return domain.may_create_team(identity.roles)


def _changes(call: ApiRequest, identity: Identity) -> bool:
    return domain.may_change_team(identity.roles, call.variables[0])


def _removes(call: ApiRequest, identity: Identity) -> bool:
    """Compares ids as spelled: the caller's own id in capitals counts as another user's."""
    own = isinstance(call.body, dict) and call.body.get("userId") == identity.subject
    return domain.may_remove_member(identity.roles, call.variables[0], own=own)


async def _list(teams: TeamStore, call: ApiRequest, _identity: Identity) -> ApiResponse:
    return await listed(call, teams.select, _shown, order_keys=("name",), filter_key="name")


async def _get(teams: TeamStore, call: ApiRequest, _identity: Identity) -> ApiResponse:
    team = await teams.find(_team_id(call))
    return responses.NOT_FOUND if team is None else responses.one(_shown(team))


async def _create(service: TeamService, call: ApiRequest, identity: Identity) -> ApiResponse:
    refusal = validation.refusal(NEW, call.body)
    if refusal is not None:
        return refusal
    team = await service.create(identity.subject or "", validation.texts(call.body))
    if isinstance(team, MembershipRefusal):
        raise NoId("the caller is deleted")  # the monolith lets its database fail
    return responses.one(_shown(team), 201)


async def _change(service: TeamService, call: ApiRequest, _identity: Identity) -> ApiResponse:
    refusal = validation.refusal(CHANGES, call.body)
    if refusal is not None:
        return refusal
    team = await service.change(_team_id(call), validation.texts(call.body))
    return responses.NOT_FOUND if team is None else responses.one(_shown(team))


async def _delete(service: TeamService, call: ApiRequest, identity: Identity) -> ApiResponse:
    deleted = await service.delete(_team_id(call), identity.subject or "")
    return responses.nothing(204) if deleted else responses.NOT_FOUND


async def _add_member(service: TeamService, call: ApiRequest, identity: Identity) -> ApiResponse:
    user_id = _who(call)
    if isinstance(user_id, ApiResponse):
        return user_id
    return _settled(await service.add_member(_team_id(call), user_id, identity.subject or ""), 201)


async def _remove_member(service: TeamService, call: ApiRequest, _identity: Identity) -> ApiResponse:
    user_id = _who(call)
    return (
        user_id if isinstance(user_id, ApiResponse) else _settled(await service.remove_member(_team_id(call), user_id))
    )


def _team_id(call: ApiRequest) -> str:
    """Raises NoId."""
    team_id = canonical_uuid(call.variables[0])
    if team_id is None:
        raise NoId("the id of the path is not a UUID")
    return team_id


def _who(call: ApiRequest) -> str | ApiResponse:
    """The user in the body. Below /members the team's id is checked first, by the stricter rule."""
    if not is_uuid(call.variables[0]):
        return INVALID_TEAM_ID
    return validation.refusal(WHO, call.body) or str(validation.texts(call.body)["userId"]).lower()


def _settled(team: Team | MembershipRefusal, status: int = 200) -> ApiResponse:
    return _REFUSALS[team] if isinstance(team, MembershipRefusal) else responses.one(_shown(team), status)


def _shown(team: Team) -> dict[str, object]:
    members = [_shown_member(member) for member in team.members]
    return {"id": team.id, "name": team.name, "description": team.description, "members": members}


def _shown_member(member: Member) -> dict[str, object]:
    return {"id": member.id, "username": member.username, "points": member.points, "role": member.role}
