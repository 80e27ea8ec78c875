"""Teams (contract §4.4), as far as they are read."""

from collections.abc import Iterator
from functools import partial

from chassis.claims import Identity
from extracted.account import domain
from extracted.account.api.lists import listed
from extracted.account.api.refusals import Described, NoId
from extracted.account.domain import Member, Team
from extracted.account.service import Account
from extracted.wire import answers
from extracted.wire.answers import Answer
from extracted.wire.application import Call
from extracted.wire.ids import canonical_uuid


def routes(account: Account) -> Iterator[Described]:
    """What changes teams and members is not extracted yet."""
    yield "GET", "/team", _reads_teams, partial(_list, account)
    yield "GET", "/team/{id}", _reads_team, partial(_get, account)


def _reads_teams(_call: Call, identity: Identity) -> bool:
    return domain.may_read_users(identity.roles)


def _reads_team(call: Call, identity: Identity) -> bool:
    return domain.may_read_team(identity.roles, call.variables[0])


async def _list(account: Account, call: Call, _identity: Identity) -> Answer:
    return await listed(call, account.teams.select, _shown, order_keys=("name",), filter_key="name")


async def _get(account: Account, call: Call, _identity: Identity) -> Answer:
    team_id = canonical_uuid(call.variables[0])
    if team_id is None:
        raise NoId("the id of the path is no UUID")
    team = await account.teams.find(team_id)
    return answers.NOT_FOUND if team is None else answers.one(_shown(team))


def _shown(team: Team) -> dict[str, object]:
    members = [_shown_member(member) for member in team.members]
    return {"id": team.id, "name": team.name, "description": team.description, "members": members}


def _shown_member(member: Member) -> dict[str, object]:
    return {"id": member.id, "username": member.username, "points": member.points, "role": member.role}
