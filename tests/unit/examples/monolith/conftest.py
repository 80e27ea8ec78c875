"""A stand-in monolith with the demo seed and a runner, shared by all tests; names are fresh for each test."""

import sqlite3
from collections.abc import Callable, Iterator

import pytest

from tests.recordings.running import RunningMonolith, running_monolith, running_runner
from tests.unit.examples.monolith.client import SECRET, Client, fresh_name


@pytest.fixture(scope="session")
def monolith(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMonolith]:
    database = tmp_path_factory.mktemp("monolith") / "monolith.sqlite3"
    with (
        running_runner() as runner,
        running_monolith(database, seed="demo", environ={"RUNNER_API_URL": f"{runner.url}/"}) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def anonymous(monolith: RunningMonolith) -> Client:
    return Client(monolith.host, monolith.port)


@pytest.fixture(scope="session")
def admin(anonymous: Client) -> Client:
    return anonymous.login("admin", "admin")


@pytest.fixture(scope="session")
def alice(anonymous: Client) -> Client:
    return anonymous.login("alice@example.org", "alice-secret")


@pytest.fixture
def database(monolith: RunningMonolith) -> Iterator[sqlite3.Connection]:
    """The monolith's own file, each statement committed."""
    connection = sqlite3.connect(monolith.database, timeout=30, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    yield connection
    connection.close()


@pytest.fixture
def sign_up(anonymous: Client, database: sqlite3.Connection) -> Callable[..., Client]:
    """A new user, logged in, with points; still a guest."""

    def new_user(points: int = 0, name: str = "") -> Client:
        name = name or fresh_name()
        user = anonymous.post("/user", {"username": name, "password": SECRET, "email": f"{name}@example.org"})
        assert user.status == 201, user.content
        database.execute("UPDATE user SET points = ? WHERE id = ?", (points, user.data["id"]))
        return anonymous.login(f"{name}@example.org", SECRET)

    return new_user


@pytest.fixture
def verified(anonymous: Client, sign_up: Callable[..., Client], database: sqlite3.Connection) -> Callable[..., Client]:
    """A new user with a verified e-mail."""

    def new_user(points: int = 0) -> Client:
        user = sign_up(points)
        query = "SELECT verification_token FROM user_emails WHERE user_id = ?"
        (token,) = database.execute(query, (user.id,)).fetchone()
        assert anonymous.post(f"/user/email/validate/{token}").status == 204
        return user

    return new_user


@pytest.fixture
def new_item(admin: Client) -> Callable[..., str]:
    """The id of a new item."""

    def create(cost: float = 10, kind: str = "hint", text: str = "think") -> str:
        answer = admin.post("/item", {"cost": cost, "type": kind, "data": {"text": text}})
        assert answer.status == 201, answer.content
        return str(answer.data["id"])

    return create
