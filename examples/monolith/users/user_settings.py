"""Contract section 4.3: a user's settings."""

from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import may, of_user
from examples.monolith.http.errors import not_found
from examples.monolith.http.wire import ResponseContent, data_response
from examples.monolith.routing import CheckedRequest, Endpoint
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


async def get_settings(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.read() as connection:
        return data_response(settings_json(await _find_settings(connection, wanted_user(request))))


async def change_settings(request: CheckedRequest) -> ResponseContent:
    changes = {COLUMNS[name]: _fitting(value) for name, value in request.body.items()}
    async with request.monolith.database.write() as connection:
        settings = await _find_settings(connection, wanted_user(request))
        await change_row(connection, user_settings, settings, **changes)
        return data_response(settings_json(await _find_settings(connection, wanted_user(request))))


async def reset_settings(_request: CheckedRequest) -> ResponseContent:
    """Searches settings by the user's id instead of their own, so never finds them (fault F16)."""
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

ENDPOINTS = (
    Endpoint("GET", "/user/:userId/settings", get_settings, READ, check=check_user_id),
    Endpoint("PATCH", "/user/:userId/settings", change_settings, UPDATE, body=SETTINGS_CHANGES, check=check_user_id),
    Endpoint("POST", "/user/:userId/settings/reset", reset_settings, UPDATE, check=check_user_id),
)
