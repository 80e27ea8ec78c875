"""Keeps the system running for `make run`: prints commands to paste and lets clients send requests."""

import asyncio
import os
import shlex

from examples.demo.clients import Observations
from examples.demo.system import STRANGLER, DemoSystem
from examples.demo.traffic import client_traffic

PAUSE_S = 0.5
COMMANDS = """
A few clients send requests all the time. Commands to paste into another terminal:

export STRANGLER_ADMIN_URL={admin_url} STRANGLER_ADMIN_TOKEN_FILE={token_file}
TOKEN=$(curl -s {url}/auth/token -H 'Content-Type: application/json' \\
  -d '{{"grantType": "implicit", "identity": "alice@example.org", "secret": "alice-secret"}}' \\
  | sed 's/.*"accessToken":"\\([^"]*\\)".*/\\1/')
curl -s {url}/item/bought/11111111-1111-4111-8111-111111111111 -H "Authorization: Bearer $TOKEN"
{strangler} flip items --to shadow --why 'a first look'
{strangler} routes
{strangler} flip points --to canary --share 100 --why 'buy through the queue'
curl -si {url}/purchases -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d '{{"itemId": "11111111-1111-4111-8111-111111111111"}}' | grep -i '^location'
curl -s -X POST {url}/item/buy/11111111-1111-4111-8111-111111111111 -H "Authorization: Bearer $TOKEN"
curl -s {url}/user -H 'Content-Type: application/json' \\
  -d '{{"username": "carol", "email": "carol@example.org", "password": "carol-secret"}}'
until grep -hs '^Subject' {mails}/*.eml; do sleep 0.2; done

Ctrl-C stops everything."""


async def keep_running(system: DemoSystem) -> None:
    """Prints the commands and runs clients until it is cancelled."""
    async with client_traffic(system, Observations(), PAUSE_S):
        print(commands(system), flush=True)
        await asyncio.Event().wait()


def commands(system: DemoSystem) -> str:
    """A log-in, a read, a flip, `strangler routes`, a purchase and a mail."""
    return COMMANDS.format(
        url=system.url,
        admin_url=system.admin_url,
        token_file=shlex.quote(str(system.operator_token)),
        strangler=shlex.quote(os.path.relpath(STRANGLER)),
        mails=shlex.quote(str(system.mails)),
    )
