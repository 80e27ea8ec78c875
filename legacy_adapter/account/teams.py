"""Account's port for teams on the monolith's tables."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from extracted.account.domain import ListPage, PageQuery
from extracted.account.teams.domain import Member, Team
from legacy_adapter import pages
from legacy_adapter.tables import team_members, teams, users


class LegacyTeams:
    """Implements the port TeamStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, team_id: str) -> Team | None:
        """Reads team and members in one state of the data."""
        async with self._database.read() as connection:
            rows = (await connection.execute(select(teams).where(teams.c.id == team_id))).all()
            return next(iter(await with_members(connection, rows)), None)

    async def select(self, query: PageQuery) -> ListPage[Team]:
        """Three statements, however long the page is."""
        async with self._database.read() as connection:
            found = pages.rows(connection, teams, query.containing, query.descending)
            page = (await connection.execute(found.offset(query.offset).limit(query.limit))).all()
            total = await connection.scalar(pages.count(teams, query.containing))
            return ListPage(await with_members(connection, page), total or 0)


async def with_members(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> Sequence[Team]:
    """Reads the members of all these teams with one statement."""
    members = await _members(connection, [row.id for row in rows])
    return [Team(row.id, row.name, row.description, tuple(members[row.id])) for row in rows]


async def _members(connection: AsyncConnection, team_ids: Iterable[str]) -> dict[str, list[Member]]:
    of_teams: dict[str, list[Member]] = {team_id: [] for team_id in team_ids}
    statement = (
        select(team_members.c.team_id, team_members.c.role, users.c.id, users.c.username, users.c.points)
        .join(users, users.c.id == team_members.c.user_id)
        .where(team_members.c.team_id.in_(of_teams))
        .order_by(*pages.heap_order(connection, users))
    )
    for row in await connection.execute(statement):
        of_teams[row.team_id].append(Member(row.id, row.username, row.points, row.role))
    return of_teams
