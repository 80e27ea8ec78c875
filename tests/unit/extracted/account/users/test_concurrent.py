"""A thousand changes of one user at once: none is lost, none fails that the monolith would not let fail."""

import asyncio
import json
import resource
import threading
import uuid
from collections.abc import Iterator

import pytest

from chassis.auth.claims import AuthenticationOutcome, Identity
from tests.support.monolith_file import MonolithData
from tests.unit.extracted.running import RunningService

pytestmark = pytest.mark.walk

CHANGES = 1000
AWARDS = 50
DEADLINE_S = 90


@pytest.fixture(autouse=True)
def many_sockets() -> Iterator[None]:
    """One a request, on either side of it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CHANGES * 2 + 500
    if 0 <= soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if hard < 0 else min(wanted, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_thousand_changes_of_one_user_at_once(account: RunningService, monolith: MonolithData) -> None:
    user, tag = monolith.add_user("guest", "user"), uuid.uuid4().hex[:6]
    changes = [
        {"username": f"{tag}-{index}"} if index % 2 else {"description": f"text {index}"} for index in range(CHANGES)
    ]
    awarding = threading.Thread(target=award, args=(monolith, user))
    awarding.start()
    async with asyncio.timeout(DEADLINE_S):
        answers = await patched(account, user, "/user/@me", changes)
    awarding.join()
    assert {status for status, _ in answers} == {200}
    for change, (_, data) in zip(changes, answers, strict=True):
        assert change.items() <= data.items()
    last = json.loads(account.ask("/user/@me", who(user)).body)["data"]
    assert last["points"] == AWARDS
    assert {"username": last["username"]} in changes
    assert {"description": last["description"]} in changes


async def test_many_changes_of_settings_at_once(account: RunningService, monolith: MonolithData) -> None:
    user = monolith.add_user("guest", "user")
    monolith.add_settings(user)
    changes = [
        {"preferredLanguage": "fr"} if index == 0 else {"preferredEditingLanguage": f"language {index}"}
        for index in range(CHANGES // 5)
    ]
    async with asyncio.timeout(DEADLINE_S):
        answers = await patched(account, user, "/user/@me/settings", changes)
    assert {status for status, _ in answers} == {200}
    last = json.loads(account.ask("/user/@me/settings", who(user)).body)["data"]
    assert last["preferredLanguage"] == "fr"
    assert {"preferredEditingLanguage": last["preferredEditingLanguage"]} in changes


def award(monolith: MonolithData, user: str) -> None:
    """What purchases and rewards do meanwhile."""
    for _ in range(AWARDS):
        monolith.add_points(user, 1)


def who(user: str) -> Identity:
    return Identity(AuthenticationOutcome.USER, user, ("guest", "user"))


async def patched(
    account: RunningService, user: str, target: str, changes: list[dict[str, str]]
) -> list[tuple[int, dict[str, object]]]:
    """Status and data of each; all connections are there before the first request goes."""
    token = account.gateway.authorization(who(user), "account")["Authorization"]
    connections = [await asyncio.open_connection("127.0.0.1", account.port) for _ in changes]
    try:
        for (_, writer), change in zip(connections, changes, strict=True):
            content = json.dumps(change)
            writer.write(
                f"PATCH {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}".encode()
            )
        received = await asyncio.gather(*(reader.read() for reader, _ in connections))
    finally:
        for _, writer in connections:
            writer.close()
    return [parsed(answer) for answer in received]


def parsed(answer: bytes) -> tuple[int, dict[str, object]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body).get("data", {})
