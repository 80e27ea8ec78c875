"""The running system: what to paste, and clients that call meanwhile, so that a flip has something to go by."""

import asyncio
import os
import shlex

from examples.demo.clients import Noticed
from examples.demo.crowd import calling
from examples.demo.system import STRANGLER, System

PAUSE_S = 0.5
LINES = """
A few clients are calling all the while. In another terminal, to paste line by line:

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

Ctrl-C ends it all."""


async def keep(system: System) -> None:
    """Prints the lines and lets the clients call until it is cancelled."""
    async with calling(system, Noticed(), PAUSE_S):
        print(lines(system), flush=True)
        await asyncio.Event().wait()


def lines(system: System) -> str:
    """A log-in, a read, a flip, `strangler routes`, something bought, and a mail sent, through queues."""
    return LINES.format(
        url=system.url,
        admin_url=system.admin_url,
        token_file=shlex.quote(str(system.operator_token)),
        strangler=shlex.quote(os.path.relpath(STRANGLER)),
        mails=shlex.quote(str(system.mails)),
    )
