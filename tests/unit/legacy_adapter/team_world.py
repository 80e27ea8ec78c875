"""Teams on the monolith's tables, with Account's own outbox beside them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from chassis.database import migrations
from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.outbox import tables as message_tables
from chassis.outbox.outbox import Outbox
from examples.monolith.storage import tables
from extracted.account.domain import Compat
from extracted.account.mail_requests.outbox import MailRequestOutbox
from extracted.account.purchases.storage import MIGRATIONS
from extracted.account.teams.domain import Team
from extracted.account.teams.service import TeamService
from legacy_adapter.account.team_changes import LegacyTeamChanges
from tests.support.monolith.monolith_file import MonolithData

OF_TEAMS = (
    tables.teams, tables.team_members, tables.auth_roles, tables.auth_role_policies, tables.auth_subject_roles,
)  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True)
class TeamWorld:
    """One Account process, and a look at what it has written."""

    file: MonolithData
    database: Database
    mail_requests: MailRequestOutbox

    def teams(self, compat: Compat = Compat.STRICT) -> TeamService:
        return TeamService(LegacyTeamChanges(self.database, self.mail_requests, _now), compat)

    def add_user(self, name: str, *, language: str = "fr", emails: int = 1) -> str:
        """The oldest e-mail is NAME-0@example.org."""
        user = self.file.add_user("guest", username=name)
        self.file.add_settings(user, language=language)
        for index in reversed(range(emails)):
            written = datetime(2026, 1, 1 + index, tzinfo=UTC)
            self.file.add_email(user, f"{name}-{index}@example.org", created_at=written)
        return user

    async def team(self, captain: str, *members: str, name: str = "Red") -> str:
        """With the mail that it takes."""
        teams = self.teams()
        made = await teams.create(captain, {"name": name})
        assert isinstance(made, Team)
        for member in members:
            assert isinstance(await teams.add_member(made.id, member, captain), Team)
        return made.id

    def rows(self) -> list[list[Row]]:
        """All that makes up teams."""
        return [self.file.rows(table) for table in OF_TEAMS]

    def members(self, team: str) -> dict[str, str]:
        """User → role."""
        return {row["user_id"]: row["role"] for row in self.file.rows(tables.team_members) if row["team_id"] == team}

    def holders(self, role: str) -> list[str]:
        """The users who hold the role of that name."""
        users = {row["id"]: row["internal_identifier"] for row in self.file.rows(tables.auth_subjects)}
        ids = [row["id"] for row in self.file.rows(tables.auth_roles) if row["name"] == role]
        held = [row for row in self.file.rows(tables.auth_subject_roles) if row["role_id"] in ids]
        return sorted(users[row["subject_id"]] for row in held)

    async def mails(self) -> list[dict[str, Any]]:
        """What has been asked for so far."""
        outbox = message_tables.outbox(OwnTables("account", self.database.is_sqlite)).c
        async with self.database.read() as connection:
            bodies = await connection.scalars(select(outbox.body).order_by(outbox.created_at))
            return [json.loads(body) for body in bodies]


@asynccontextmanager
async def team_world(file: MonolithData) -> AsyncIterator[TeamWorld]:
    await migrations.upgrade(file.url, "account", MIGRATIONS)
    database = Database(file.url, pool_size=20, timeout_s=30)
    yield TeamWorld(file, database, MailRequestOutbox(Outbox(OwnTables("account", database.is_sqlite), _now), _now))
    await database.aclose()


def _now() -> datetime:
    return datetime.now(UTC)
