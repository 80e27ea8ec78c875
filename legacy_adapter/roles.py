"""Roles of the monolith's subjects. Those that everybody gets have the ids that the monolith was seeded with."""

import uuid
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapter.inserting import inserted
from legacy_adapter.tables import subject_roles

GUEST_ROLE: Final = "db78e634-1034-4bee-9e70-a1d56de1738d"
USER_ROLE: Final = "cdccf05d-a8b9-4455-a373-595eae252adf"


async def give_role(connection: AsyncConnection, subject_id: str, role_id: str, at: datetime) -> None:
    """One that is there stays as it is."""
    row = {"id": str(uuid.uuid4()), "subject_id": subject_id, "role_id": role_id}
    await inserted(connection, subject_roles, row, at, unless="subject_id role_id")
