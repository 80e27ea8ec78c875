"""Which groups need turns, and who has to share them. Pure."""

from chassis.settings import SettingsInvalid
from strangler_gateway.settings import Settings
from strangler_gateway.table.routes import RouteTable


def needed(table: RouteTable) -> list[str]:
    """The groups with `serialize`."""
    return sorted({route.movable.name for route in table.routes if route.movable.serialize})


def expect_shared(settings: Settings, table: RouteTable) -> None:
    """Several gateways take turns in Redis. Raises SettingsInvalid where there is none."""
    groups = ", ".join(needed(table))
    if settings.store and settings.redis_url is None and groups:
        raise SettingsInvalid(
            f"writes of {groups} (`serialize: user`) must take turns in Redis, because STRANGLER_STORE says that there "
            "are several gateways; set STRANGLER_REDIS_URL"
        )
