"""The monolith's access tokens for users who logged in at the identity server: a row that ends with their session."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapter.account.access_tokens import TokenForm, token_row
from legacy_adapter.tables import access_tokens


class LegacyExchangedTokens:
    """The port MonolithTokens of sessions."""

    def __init__(self, form: TokenForm) -> None:
        self._form = form

    def signed(self, subject_id: str, user_id: str, at: datetime) -> str:
        """As the monolith signs it; within one second it is the same."""
        return self._form.signed(subject_id, user_id, at)

    async def add(
        self, connection: AsyncConnection, row_id: str, token: str, subject_id: str, at: datetime, expires_at: datetime
    ) -> None:
        """As the monolith writes it, but for the time at which it expires."""
        await connection.execute(insert(access_tokens), token_row(row_id, token, subject_id, at, expires_at))

    async def remove(self, connection: AsyncConnection, row_ids: Sequence[str]) -> None:
        """One statement."""
        await connection.execute(delete(access_tokens).where(access_tokens.c.id.in_(row_ids)))
