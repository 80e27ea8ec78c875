"""Hundreds of changes of one user at once: none is lost, none fails that the monolith would not let fail."""

import asyncio
import resource
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.monolith.monolith_file import MonolithData
from tests.unit.extracted.account.mails import who
from tests.unit.extracted.running import RunningService

pytestmark = pytest.mark.walk

CHANGES = 300
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


def award(monolith: MonolithData, user: str) -> None:
    """What purchases and rewards do meanwhile."""
    for _ in range(AWARDS):
        monolith.add_points(user, 1)


async def changed(account: RunningService, user: str, path: str, changes: list[dict[str, str]]) -> dict[str, Any]:
    """What is there after all of them at once; each is answered with what it changed."""
    limits, headers = httpx.Limits(max_connections=None), account.gateway.authorization(who(user), "account")
    url = f"http://127.0.0.1:{account.port}{path}"
    async with httpx.AsyncClient(limits=limits, headers=headers, timeout=DEADLINE_S, trust_env=False) as client:
        answers = await asyncio.gather(*(client.patch(url, json=change) for change in changes))
        assert all(answer.status_code == 200 for answer in answers)
        for change, answer in zip(changes, answers, strict=True):
            assert change.items() <= answer.json()["data"].items()
        last: dict[str, Any] = (await client.get(url)).json()["data"]
        return last


async def test_hundreds_of_changes_of_one_user_at_once(account: RunningService, monolith: MonolithData) -> None:
    user, tag = monolith.add_user("guest", "user"), uuid.uuid4().hex[:6]
    changes = [
        {"username": f"{tag}-{index}"} if index % 2 else {"description": f"text {index}"} for index in range(CHANGES)
    ]
    awarding = threading.Thread(target=award, args=(monolith, user))
    awarding.start()
    last = await changed(account, user, "/user/@me", changes)
    awarding.join()
    assert (await changed(account, user, "/user/@me", []))["points"] == AWARDS
    assert {"username": last["username"]} in changes
    assert {"description": last["description"]} in changes


async def test_many_changes_of_settings_at_once(account: RunningService, monolith: MonolithData) -> None:
    user = monolith.add_user("guest", "user")
    monolith.add_settings(user)
    texts = [{"preferredEditingLanguage": f"language {index}"} for index in range(CHANGES // 5)]
    last = await changed(account, user, "/user/@me/settings", [{"preferredLanguage": "fr"}, *texts])
    assert last["preferredLanguage"] == "fr"
    assert {"preferredEditingLanguage": last["preferredEditingLanguage"]} in texts
