"""Keeps the system running for `make run`: prints commands to paste and lets clients send requests."""

import asyncio
import os
import shlex

from examples.demo.clients import Observations
from examples.demo.system import POLYCODE, STRANGLER, DemoSystem
from examples.demo.traffic import client_traffic

PAUSE_S = 0.5
ITEM = "11111111-1111-4111-8111-111111111111"
"""An item of the seed, for 10 points."""
COMMANDS = """
A few clients send requests all the time. Commands to paste into another terminal:

# where the gateway and the services are, and the operator's credential
export {exports}

# see all of this in a browser: open {page} and log in with the operator's credential, which this prints
cat "$STRANGLER_ADMIN_TOKEN_FILE"; echo

# log in as alice, and read an item that she has not bought: its data is null
TOKEN=$(curl -fsS {url}/auth/token -H 'Content-Type: application/json' \\
  -d '{{"grantType": "implicit", "identity": "alice@example.org", "secret": "alice-secret"}}' \\
  | sed 's/.*"accessToken":"\\([^"]*\\)".*/\\1/')
curl -fsS {url}/item/bought/{item} -H "Authorization: Bearer $TOKEN"; echo

# see each service with its instances; compare the answers of one with the monolith's, and see each route's counters
{strangler} services
{strangler} flip items --to shadow --why 'a first look'
{strangler} routes

# move purchases to the queue, buy the item (the answer tells where the purchase is), and get its content
{strangler} flip points --to canary --share 100 --why 'buy through the queue'
curl -fsSi {url}/purchases -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d '{{"itemId": "{item}"}}' | grep -i '^location'
curl -fsS -X POST {url}/item/buy/{item} -H "Authorization: Bearer $TOKEN"; echo

# sign up as somebody new, and wait for the mail
NAME=new-$(date +%s)
curl -fsS {url}/user -H 'Content-Type: application/json' \\
  -d '{{"username": "'$NAME'", "email": "'$NAME'@example.org", "password": "secret-'$NAME'"}}'; echo
until grep -ls "^To: .*$NAME@example.org" {mails}/*.eml; do sleep 0.2; done

# operate the services: outboxes and consumers, purchases, mails
{polycode} status
{polycode} purchases list
{polycode} mails list --limit 3

Ctrl-C stops everything."""


async def keep_running(system: DemoSystem) -> None:
    """Prints the commands and runs clients until it is cancelled."""
    async with client_traffic(system, Observations(), PAUSE_S):
        print(commands(system), flush=True)
        await asyncio.Event().wait()


def commands(system: DemoSystem) -> str:
    """A log-in, a read, a flip, `strangler routes`, a purchase, a mail, and `polycode`."""
    return COMMANDS.format(
        url=system.url,
        page=f"{system.admin_url}/ui",
        item=ITEM,
        exports=" \\\n  ".join(f"{name}={shlex.quote(value)}" for name, value in system.variables.items()),
        strangler=shlex.quote(os.path.relpath(STRANGLER)),
        polycode=shlex.quote(os.path.relpath(POLYCODE)),
        mails=shlex.quote(str(system.mails)),
    )
