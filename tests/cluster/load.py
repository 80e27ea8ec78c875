"""Runs in a pod: sends requests, each a moment after the last one's end; tells its totals every half second.

The argument is JSON: `calls`, each with url, method, json, statuses, later (statuses that ask to repeat it) and as (who
is logged in), `users` (identity and secret by name), `log_in` (a URL) and `token_file` (of services). A request is lost
if it has no answer, or a status that is in no list.
"""

import asyncio
import json
import sys
import uuid
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

PAUSE_S = 0.15
TELL_S = 0.5
TIMEOUT_S = 20
REACHED_S = 180
EXAMPLES = 20


class Totals:
    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.examples: list[str] = []

    def lose(self, name: str, seen: str) -> None:
        self.lost[name] += 1
        self.examples = [*self.examples, f"{name}: {seen}"][-EXAMPLES:]

    def line(self) -> str:
        return json.dumps({"sent": self.sent, "lost": self.lost, "examples": self.examples})


async def credentials(wanted: Any) -> dict[str, str]:
    """By name: of users who have logged in, and of services."""
    found = {"service": f"Bearer {Path(wanted['token_file']).read_text().strip()}"}
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        for name, user in wanted["users"].items():
            answer = await client.post(wanted["log_in"], json={"grantType": "implicit", **user})
            found[name] = f"Bearer {answer.raise_for_status().json()['data']['accessToken']}"
    return found


async def send(client: httpx.AsyncClient, call: Any, authorization: str, totals: Totals) -> None:
    name = call["name"]
    try:
        head = {"Authorization": authorization, "Idempotency-Key": str(uuid.uuid4())}
        answer = await client.request(call["method"], call["url"], json=call["json"], headers=head)
        while answer.status_code in call["later"]:
            await asyncio.sleep(PAUSE_S)
            answer = await client.request(call["method"], call["url"], json=call["json"], headers=head)
    except httpx.HTTPError as error:
        totals.lose(name, f"{type(error).__name__} {error}")
    else:
        if answer.status_code not in call["statuses"]:
            totals.lose(name, f"{answer.status_code} {answer.text[:200]}")
    totals.sent[name] += 1


async def keep_sending(call: Any, authorization: str, totals: Totals) -> None:
    """On one connection, as long as the server keeps it."""
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:
        while True:
            await send(client, call, authorization, totals)
            await asyncio.sleep(PAUSE_S)


async def reached(url: str) -> None:
    """Waits until the server takes a connection: network policies know a new pod some moments after its start."""
    address = urlsplit(url)
    while True:
        try:
            _, writer = await asyncio.open_connection(address.hostname, address.port or 80)
        except OSError:
            await asyncio.sleep(PAUSE_S)
        else:
            writer.close()
            return


async def main(wanted: Any) -> None:
    async with asyncio.timeout(REACHED_S), asyncio.TaskGroup() as group:
        for call in wanted["calls"]:
            group.create_task(reached(call["url"]))
    totals, known = Totals(), await credentials(wanted)
    async with asyncio.TaskGroup() as group:
        for call in wanted["calls"]:
            group.create_task(keep_sending(call, known[call["as"]], totals))
        while True:
            await asyncio.sleep(TELL_S)
            print(totals.line(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
