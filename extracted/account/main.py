"""Composition root of Account: settings in, a served application out."""

import argparse
import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.types import ASGIApp

from chassis.auth.tokens import TokenVerifier
from chassis.database.database import Database
from chassis.service import logs, starting, web
from chassis.service.settings import load, revealed
from extracted.account import api
from extracted.account.api.refusals import Described
from extracted.account.mail_requests import Posting
from extracted.account.purchases import wiring
from extracted.account.purchases.api import internal, purchases
from extracted.account.purchases.storage import MIGRATIONS
from extracted.account.purchases.wiring import Messaging
from extracted.account.service import Account
from extracted.account.settings import DatabaseSettings, Settings
from extracted.account.teams.api import teams
from extracted.account.users.api import emails, sign_up
from extracted.account.users.emails import Emails
from extracted.account.users.sign_up import SignUp
from legacy_adapter.account.emails import LegacyEmails
from legacy_adapter.account.passwords import Passwords
from legacy_adapter.account.points import LegacyPoints
from legacy_adapter.account.purchase_rows import LegacyRows
from legacy_adapter.account.sign_up import LegacyAccounts
from legacy_adapter.account.team_writes import LegacyTeamWrites
from legacy_adapter.account.teams import LegacyTeams
from legacy_adapter.account.users import LegacySettings, LegacyUsers
from legacy_adapter.roles import LegacyRoles

CONNECTIONS: Final = 10


def build(settings: Settings) -> Starlette:
    """The application in shared mode: on the monolith's own tables."""
    production = settings.environment == "production"
    url, timeout_s = settings.database_url.get_secret_value(), settings.database_timeout_s
    database = Database(url, pool_size=CONNECTIONS, timeout_s=timeout_s)
    verifier = TokenVerifier(settings.audience, settings.issuer, jwks_url=settings.jwks_url)
    passwords = Passwords()
    account = Account(
        LegacyUsers(database),
        LegacySettings(database),
        LegacyTeams(database),
        LegacyRoles(database),
        settings.compat,
    )
    with_broker = wiring.messaging(settings, database, LegacyPoints(), LegacyRows())
    bought = None if with_broker is None else wiring.purchasing(settings, database, with_broker)

    more: list[Described] = []
    if with_broker is not None:
        more += _mailing(settings, database, with_broker.posting, passwords)
    if bought is not None:
        more += purchases.routes(bought.calling, bought.looking)
    public = api.application(account, verifier, production=production, more=more)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.aclose)
            stack.push_async_callback(verifier.aclose)
            stack.callback(passwords.close)
            if with_broker is not None:
                await wiring.start(stack, with_broker, bought)
            yield

    return web.application(
        public if with_broker is None else _with_operations(public, settings, with_broker),
        failure=api.failure(production=production),
        description=api.description(),
        ready=database.ping,
        lifespan=lifespan,
        metrics=None if with_broker is None else with_broker.measuring.gauges,
    )


def _mailing(settings: Settings, database: Database, posting: Posting, passwords: Passwords) -> Iterator[Described]:
    """The routes that send mail."""
    accounts, compat = LegacyAccounts(database, posting), settings.compat
    yield from sign_up.routes(SignUp(accounts, passwords.hashed, _new_token, compat))
    yield from emails.routes(Emails(LegacyEmails(database, posting), _new_token, compat))
    yield from teams.write_routes(LegacyTeamWrites(database, posting), compat)


def _new_token() -> str:
    """As the monolith makes them."""
    return str(uuid.uuid4())


def _with_operations(public: ASGIApp, settings: Settings, with_broker: Messaging) -> ASGIApp:
    token = revealed(settings.operator_token)
    status = with_broker.worker.auditing.status
    return internal.application(public, token, with_broker.operations, with_broker.messages, status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 served and stopped, or migrated; 1 could not start; 2 wrong settings."""
    return starting.run(_parser().parse_args(arguments), _migrate, _serve)


def _migrate() -> int:
    settings = load(DatabaseSettings)
    return starting.migrate(settings.database_url.get_secret_value(), "account", MIGRATIONS)


def _serve(host: str, port: int) -> int:
    settings = load(Settings)
    app = build(settings)
    logs.configure("account", settings.log_level)
    return starting.serve(app, _refusal(settings), host, port, grace_s=settings.grace_s)


def _refusal(settings: Settings) -> str | None:
    if settings.broker_url is None:
        return None
    urls = settings.database_url.get_secret_value(), settings.broker_url.get_secret_value()
    return asyncio.run(starting.obstacle(*urls, "account", MIGRATIONS, wiring.own_queues(settings)))


def _parser() -> argparse.ArgumentParser:
    return starting.parser(
        "account",
        8103,
        "Serves Account's extracted routes; `migrate` makes or changes its own tables instead.",
        "ACCOUNT_DATABASE_URL[_FILE] and ACCOUNT_JWKS_URL are required; what sends mail needs "
        "ACCOUNT_BROKER_URL[_FILE]; to buy needs ACCOUNT_SHOP_URL and ACCOUNT_SHOP_TOKEN[_FILE], too; "
        "ACCOUNT_OPERATOR_TOKEN[_FILE], ACCOUNT_AUDIENCE, ACCOUNT_ISSUER, ACCOUNT_ENVIRONMENT (production, "
        "development), ACCOUNT_COMPAT (strict, improved), ACCOUNT_DATABASE_TIMEOUT_S, ACCOUNT_ASK_AGAIN_S, "
        "ACCOUNT_CANCEL_AFTER_S, ACCOUNT_LOG_LEVEL, ACCOUNT_GRACE_S.",
    )
