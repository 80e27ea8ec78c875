"""Contract section 4.3: a user's settings."""

from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import may, of_user
from examples.monolith.http.refusals import not_found
from examples.monolith.http.wire import Answer, enveloped
from examples.monolith.routing.call import Call
from examples.monolith.routing.routes import Route
from examples.monolith.storage.postgres_values import TEXT_WIDTH, postgres_text
from examples.monolith.storage.rows import change_row
from examples.monolith.storage.tables import user_settings
from examples.monolith.users.users import check_user_id, wanted_user
from examples.monolith.validation.shapes import IS_STRING, Shape, one_of, optional

COLUMNS = {"preferredEditingLanguage": "preferred_editing_language", "preferredLanguage": "preferred_language"}
SETTINGS_CHANGES: Shape = {
    "preferredEditingLanguage": optional(IS_STRING),
    "preferredLanguage": optional(one_of("en", "fr")),
}


async def get_settings(call: Call) -> Answer:
    async with call.monolith.database.read() as connection:
        return enveloped(settings_json(await _find_settings(connection, wanted_user(call))))


async def change_settings(call: Call) -> Answer:
    changes = {COLUMNS[name]: _fitting(value) for name, value in call.body.items()}
    async with call.monolith.database.write() as connection:
        settings = await _find_settings(connection, wanted_user(call))
        await change_row(connection, user_settings, settings, **changes)
        return enveloped(settings_json(await _find_settings(connection, wanted_user(call))))


async def reset_settings(_call: Call) -> Answer:
    """Looked for under the user's id as their own: never found (fault F16)."""
    raise not_found()


async def _find_settings(connection: AsyncConnection, user_id: str) -> Row[Any]:
    of_user = user_settings.c.user_id == user_id
    settings = (await connection.execute(select(user_settings).where(of_user))).first()
    if settings is None:
        raise not_found()
    return settings


def _fitting(value: str | None) -> str | None:
    return None if value is None else postgres_text(value, longest=TEXT_WIDTH)


def settings_json(settings: Row[Any]) -> dict[str, Any]:
    return {name: settings._mapping[column] for name, column in COLUMNS.items()}


READ, UPDATE = (may(action, "user_settings", of_user("user_id")) for action in ("read", "update"))

ROUTES = (
    Route("GET", "/user/:userId/settings", get_settings, READ, check=check_user_id),
    Route("PATCH", "/user/:userId/settings", change_settings, UPDATE, body=SETTINGS_CHANGES, check=check_user_id),
    Route("POST", "/user/:userId/settings/reset", reset_settings, UPDATE, check=check_user_id),
)
