"""The admin port's server."""

from starlette.applications import Starlette

from strangler_gateway.server.uvicorn_server import admin_server
from tests.support.gateway.administered import settings


def test_an_idle_connection_to_the_admin_port_outlives_the_pool_of_its_client() -> None:
    """httpx forgets one after 5 s, uvicorn's default: at that moment the request went into a closing connection."""
    assert admin_server(settings(keep_alive_s=30.5), Starlette()).config.timeout_keep_alive == 31
