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
from chassis.database.own_tables import OwnTables
from chassis.service import logs, readiness, startup, web
from chassis.service.metrics import Metric
from chassis.service.web import Metrics
from chassis.settings import load, revealed
from extracted.account.api import application as api
from extracted.account.api.refusals import Described
from extracted.account.attempts.service import LoginAttempts
from extracted.account.attempts.storage import SqlAttemptStore
from extracted.account.mail_requests.outbox import MailRequestOutbox
from extracted.account.platform import api as platform
from extracted.account.purchases import wiring
from extracted.account.purchases.api import internal, purchases
from extracted.account.purchases.storage import MIGRATIONS
from extracted.account.purchases.wiring import BrokerComponents, PurchaseComponents
from extracted.account.rewards.api import records as reward_records
from extracted.account.sessions.api import internal as session_api
from extracted.account.settings import DatabaseSettings, Settings
from extracted.account.sign_in.api import tokens
from extracted.account.sign_in.keycloak_wiring import KeycloakComponents, LegacySide, keycloak_components
from extracted.account.sign_in.metrics import login_metrics
from extracted.account.sign_in.service import SignIn
from extracted.account.teams.api import teams
from extracted.account.teams.service import TeamService
from extracted.account.users.api import email_addresses, sign_up, user_settings, users
from extracted.account.users.service import EmailAddressService, SignUp, UserService
from legacy_adapter.account.access_tokens import LegacyAccessTokens, token_form
from legacy_adapter.account.email_addresses import LegacyEmailAddresses
from legacy_adapter.account.exchanged_tokens import LegacyExchangedTokens
from legacy_adapter.account.logins import LegacyLogins
from legacy_adapter.account.passwords import Passwords
from legacy_adapter.account.points import LegacyPoints
from legacy_adapter.account.roles import LegacyRoles
from legacy_adapter.account.sign_up import LegacySignUp
from legacy_adapter.account.sold_rows import LegacySoldRows
from legacy_adapter.account.subjects import LegacySubjects
from legacy_adapter.account.team_changes import LegacyTeamChanges
from legacy_adapter.account.teams import LegacyTeams
from legacy_adapter.account.users import LegacyUsers, LegacyUserSettings

CONNECTIONS: Final = 10


def build(settings: Settings) -> Starlette:
    """The application in shared mode: on the monolith's own tables."""
    production = settings.environment == "production"
    database = Database(
        settings.database_url.get_secret_value(), pool_size=CONNECTIONS, timeout_s=settings.database_timeout_s
    )
    verifier = TokenVerifier(settings.audience, settings.issuer, jwks_url=settings.jwks_url)
    passwords = Passwords()
    with_broker = wiring.broker_components(settings, database, LegacyPoints(), LegacySoldRows())
    with_shop = None if with_broker is None else wiring.purchase_components(settings, database, with_broker)
    legacy = _legacy_side(settings, database, passwords)
    with_keycloak = None if legacy is None else keycloak_components(settings, database, legacy)
    sign_in = None if legacy is None else _sign_in(settings, database, legacy, with_keycloak)
    described = [*_routes(settings, database), *(() if sign_in is None else tokens.routes(sign_in))]
    if with_broker is not None:
        described += _mailing_routes(settings, database, with_broker.mail_requests, passwords)
    if with_shop is not None:
        described += purchases.routes(with_shop.buy_now, with_shop.queries)
    public = api.application(described, verifier, LegacyRoles(database), settings.compat, production=production)
    served = public if with_broker is None else _with_operations(public, settings, with_broker)
    if with_keycloak is not None:
        served = session_api.application(served, with_keycloak.sessions, verifier)
    return web.application(
        platform.application(served, production=production),
        failure=api.failure(production=production),
        description=api.description(),
        unserved=readiness.unserved(
            api.description(), [(method, path) for method, path, *_ in described], _missing(settings)
        ),
        ready=database.ping,
        lifespan=lambda _app: _lifespan(database, verifier, passwords, sign_in, with_broker, with_shop, with_keycloak),
        metrics=_metrics(with_broker, sign_in) if with_broker or sign_in else None,
    )


def _missing(settings: Settings) -> str:
    """What is to be set before Account serves all its routes."""
    missing = [] if settings.auth_jwt_secret else ["ACCOUNT_AUTH_JWT_SECRET is not set"]
    if settings.broker_url is None:
        missing.append("ACCOUNT_BROKER_URL is not set")
    elif not settings.sells:
        missing.append("ACCOUNT_SHOP_URL and ACCOUNT_SHOP_TOKEN (or ACCOUNT_SERVICE_CLIENT_SECRET) are not both set")
    return "; ".join(missing)


def _routes(settings: Settings, database: Database) -> Iterator[Described]:
    """The routes that need no broker."""
    yield from users.routes(LegacyUsers(database))
    service = UserService(users=LegacyUsers(database), settings=LegacyUserSettings(database), compat=settings.compat)
    yield from user_settings.routes(service)
    yield from teams.routes(LegacyTeams(database))


def _legacy_side(settings: Settings, database: Database, passwords: Passwords) -> LegacySide | None:
    """None without the secret that tokens are signed with."""
    if settings.auth_jwt_secret is None:
        return None
    form = token_form(settings.auth_jwt_secret.get_secret_value(), settings.auth_jwt_issuer, settings.auth_jwt_audience)
    return LegacySide(
        authority=LegacyAccessTokens(database, form, passwords.matches),
        matches=passwords.matches,
        tokens=LegacyExchangedTokens(form),
        subjects=LegacySubjects(database),
    )


def _sign_in(
    settings: Settings, database: Database, legacy: LegacySide, with_keycloak: KeycloakComponents | None
) -> SignIn:
    """Keycloak is the authority, if there is one, else the tables."""
    rules = settings.attempt_rules
    store = SqlAttemptStore(database, OwnTables("account", database.is_sqlite), rules, wiring.now)
    return SignIn(
        logins=LegacyLogins(database),
        authority=legacy.authority if with_keycloak is None else with_keycloak.authority,
        attempts=LoginAttempts(store, rules, wiring.now),
        compat=settings.compat,
    )


def _metrics(with_broker: BrokerComponents | None, sign_in: SignIn | None) -> Metrics:
    """Of all that is served."""

    async def measured() -> Sequence[Metric]:
        own = [] if sign_in is None else login_metrics(sign_in)
        return [*own, *([] if with_broker is None else await with_broker.metrics.gauges())]

    return measured


def _mailing_routes(
    settings: Settings, database: Database, mail_requests: MailRequestOutbox, passwords: Passwords
) -> Iterator[Described]:
    """The routes that send mail."""
    yield from sign_up.routes(
        SignUp(
            store=LegacySignUp(database, mail_requests),
            hash_password=passwords.hashed,
            new_token=_new_token,
            compat=settings.compat,
        )
    )
    addresses = LegacyEmailAddresses(database, mail_requests)
    yield from email_addresses.routes(
        EmailAddressService(store=addresses, new_token=_new_token, compat=settings.compat)
    )
    team_changes = LegacyTeamChanges(database, mail_requests)
    yield from teams.write_routes(TeamService(changes=team_changes, compat=settings.compat))


def _new_token() -> str:
    """Tokens look like the monolith's."""
    return str(uuid.uuid4())


def _with_operations(public: ASGIApp, settings: Settings, with_broker: BrokerComponents) -> ASGIApp:
    return internal.application(
        public,
        token=revealed(settings.operator_token),
        operations=with_broker.operations,
        messages=with_broker.messages,
        status=with_broker.worker.audit_timer.status,
        queues=with_broker.queues.shown,
        records=reward_records.routes(with_broker.rewards.payments.ledger),
    )


@asynccontextmanager
async def _lifespan(
    database: Database,
    verifier: TokenVerifier,
    passwords: Passwords,
    sign_in: SignIn | None,
    with_broker: BrokerComponents | None,
    with_shop: PurchaseComponents | None,
    with_keycloak: KeycloakComponents | None,
) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.aclose)
        if sign_in is not None:
            stack.push_async_callback(sign_in.attempts.settled)
        stack.push_async_callback(verifier.aclose)
        stack.callback(passwords.close)
        if with_keycloak is not None:
            await stack.enter_async_context(with_keycloak.running())
        if with_broker is not None:
            await wiring.start(stack, with_broker, with_shop)
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 served and stopped, or migrated; 1 could not start; 2 wrong settings."""
    return startup.run(_parser().parse_args(arguments), _migrate, _serve)


def _migrate() -> int:
    settings = load(DatabaseSettings)
    return startup.migrate(settings.database_url.get_secret_value(), "account", MIGRATIONS)


def _serve(host: str, port: int) -> int:
    settings = load(Settings)
    app = build(settings)
    logs.configure("account", settings.log_level)
    return startup.serve(app, _refusal(settings), host, port, service="account", grace_s=settings.grace_s)


def _refusal(settings: Settings) -> str | None:
    database_url = settings.database_url.get_secret_value()
    if settings.broker_url is None:
        needs_tables = settings.auth_jwt_secret is not None
        return asyncio.run(startup.behind(database_url, "account", MIGRATIONS)) if needs_tables else None
    urls = database_url, settings.broker_url.get_secret_value()
    return asyncio.run(startup.obstacle(*urls, "account", MIGRATIONS, wiring.own_queues(settings)))


def _parser() -> argparse.ArgumentParser:
    return startup.parser(
        "account",
        8103,
        "Serves Account's extracted routes; `migrate` creates or updates its tables and exits.",
        "ACCOUNT_DATABASE_URL[_FILE] and ACCOUNT_JWKS_URL are required; to log in needs "
        "ACCOUNT_AUTH_JWT_SECRET[_FILE], and with Keycloak ACCOUNT_KEYCLOAK_URL, "
        "ACCOUNT_KEYCLOAK_CLIENT_SECRET[_FILE] and ACCOUNT_KEYCLOAK_ADMIN_CLIENT_SECRET[_FILE] "
        "(ACCOUNT_KEYCLOAK_REALM, ACCOUNT_KEYCLOAK_CLIENT_ID, ACCOUNT_KEYCLOAK_ADMIN_CLIENT_ID, "
        "ACCOUNT_KEYCLOAK_ISSUER, ACCOUNT_KEYCLOAK_TIMEOUT_S); what sends mail needs ACCOUNT_BROKER_URL[_FILE]; to "
        "buy needs ACCOUNT_SHOP_URL and ACCOUNT_SHOP_TOKEN[_FILE] (or ACCOUNT_KEYCLOAK_URL and "
        "ACCOUNT_SERVICE_CLIENT_SECRET[_FILE], with ACCOUNT_SERVICE_CLIENT_ID), too; ACCOUNT_OPERATOR_TOKEN[_FILE], "
        "ACCOUNT_AUDIENCE, ACCOUNT_ISSUER, ACCOUNT_AUTH_JWT_ISSUER, ACCOUNT_AUTH_JWT_AUDIENCE, ACCOUNT_ENVIRONMENT "
        "(production, development), ACCOUNT_COMPAT (strict, improved), ACCOUNT_DATABASE_TIMEOUT_S, "
        "ACCOUNT_ASK_AGAIN_S, ACCOUNT_CANCEL_AFTER_S, ACCOUNT_LOGIN_FAILURES_PER_PAIR, "
        "ACCOUNT_LOGIN_FAILURES_PER_ADDRESS, ACCOUNT_LOGIN_FAILURES_PER_USER, ACCOUNT_LOGIN_WINDOW_S, "
        "ACCOUNT_LOGIN_LONGEST_WAIT_S, ACCOUNT_LOGIN_KNOWN_DAYS, ACCOUNT_LOG_LEVEL, ACCOUNT_GRACE_S.",
    )
