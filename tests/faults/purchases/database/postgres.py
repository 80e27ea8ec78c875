"""A scene's PostgreSQL: settings of all connections, and the errors that it has sent to the services."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from tests.support.system.scene import Scene
from tests.support.system.tcp_proxy import TcpProxy


def line(scene: Scene) -> TcpProxy:
    """The proxy before the database."""
    assert scene.database is not None
    return scene.database


@contextmanager
def always(scene: Scene, name: str, value: str) -> Iterator[None]:
    """A setting of all connections during the block: open ones are cut at its start and end."""
    database = scene.system.stores.database_url.rpartition("/")[2]
    scene.run(f"ALTER DATABASE \"{database}\" SET {name} = '{value}'")
    line(scene).cut()
    yield
    with scene.connected() as connection:
        connection.execute(text("SET TRANSACTION READ WRITE"))
        connection.execute(text(f'ALTER DATABASE "{database}" RESET {name}'))
    line(scene).cut()


@contextmanager
def undisturbed(scene: Scene) -> Iterator[None]:
    """No service has a connection during the block."""
    line(scene).refuses = True
    line(scene).cut()
    yield
    line(scene).heal()


def told(scene: Scene, sqlstate: str) -> int:
    """How often it has sent that error to a service, counted in the proxy."""
    error = b"C%s\0" % sqlstate.encode()
    return sum(conversation.down.count(error) for conversation in line(scene).conversations)
