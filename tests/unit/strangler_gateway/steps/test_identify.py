"""Who a request is from, asked only where it matters, and never in the way of what the monolith can answer."""

import asyncio
import inspect
import logging

import pytest

from chassis.auth.claims import Fields, Identity, IdentityUnavailable
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.gateway import Gateway
from strangler_gateway.identity import authority as authority_module
from strangler_gateway.identity.plugin import load_plugin
from strangler_gateway.identity.providers import open_source
from strangler_gateway.identity.rules import IdentityRulesInvalid
from strangler_gateway.steps.identify import Identify
from strangler_gateway.table.routes import IdentityRules, MigrationState, RateLimit
from tests.support.gateway.exchanges import ALICE, LaterProvider, Provider, exchange, gateway_for, route, signer, step

BY_USER = RateLimit("5/minute", by="user")
BY_ADDRESS = RateLimit("5/minute", by="address")


async def identified(gateway: Gateway) -> Exchange:
    x = exchange(gateway)
    outcome = step(gateway, Identify, x)
    if inspect.isawaitable(outcome):
        assert await outcome is None
    return x


@pytest.mark.parametrize("kind", [Provider, LaterProvider])
@pytest.mark.parametrize(
    ("state", "limit", "asked"),
    [
        (MigrationState.LEGACY, None, 0),
        (MigrationState.LEGACY, BY_ADDRESS, 0),
        (MigrationState.LEGACY, BY_USER, 1),
        (MigrationState.SHADOW, None, 1),
        (MigrationState.CANARY, None, 1),
        (MigrationState.EXTRACTED, None, 1),
        (MigrationState.RETIRED, None, 1),
    ],
)
async def test_nothing_is_asked_in_legacy_unless_a_limit_counts_users(
    kind: type[Provider], state: MigrationState, limit: RateLimit | None, asked: int
) -> None:
    provider = kind()
    x = await identified(gateway_for(route(state, limit=limit), provider))
    assert (provider.asked, x.identity) == (asked, ALICE if asked else None)
    x = await identified(gateway_for(route(state, limit=limit)))  # without a provider
    assert (x.identity, x.identity_unavailable) == (None, False)


@pytest.mark.parametrize("kind", [Provider, LaterProvider])
@pytest.mark.parametrize("error", [IdentityUnavailable("store away"), KeyError("a fault of the plugin")])
async def test_a_provider_that_is_away_or_broken_makes_the_identity_unavailable(
    kind: type[Provider], error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    x = await identified(gateway_for(route(), kind(error)))
    assert (x.identity, x.identity_unavailable) == (None, True)
    [record] = caplog.records
    assert (record.levelno == logging.ERROR) is isinstance(error, KeyError)


class Hanging(Provider):
    """Never says who it is."""

    def __init__(self) -> None:
        super().__init__()
        self.started = asyncio.Event()

    async def identify(self, fields: Fields) -> Identity:
        self.started.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_provider_that_hangs_is_waited_for_until_the_time_is_up_or_the_client_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    provider = Hanging()
    task = asyncio.create_task(identified(gateway_for(route(), provider)))
    await provider.started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.setattr(authority_module, "TIMEOUT_S", 0.02)
    assert (await identified(gateway_for(route(), Hanging()))).identity_unavailable


def make_provider() -> Provider:
    return Provider()


def make_nonsense() -> object:
    return object()


def make_trouble() -> Provider:
    raise RuntimeError("LEGACY_DATABASE is not set")


def test_a_plugin_is_loaded_by_name() -> None:
    plugin = IdentityRules("plugin", plugin=f"{__name__}:make_provider")
    assert isinstance(open_source(plugin, signer()).provider, Provider)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no_colon", "module:factory"),
        (":factory", "module:factory"),
        ("no_such_module_here:factory", "ModuleNotFoundError"),
        (f"{__name__}:no_such_factory", "AttributeError"),
        (f"{__name__}:make_trouble", "LEGACY_DATABASE is not set"),
        (f"{__name__}:make_nonsense", "without identify, confirm, aclose"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_refused_with_the_reason(name: str, told: str) -> None:
    with pytest.raises(IdentityRulesInvalid, match=told):
        load_plugin(name)


@pytest.mark.parametrize("kind", ["jwt", "introspect"])
def test_options_that_a_provider_does_not_know_are_refused(kind: str) -> None:
    with pytest.raises(IdentityRulesInvalid, match="colour"):
        open_source(IdentityRules(kind, options=(("colour", "red"),)), signer())  # type: ignore[arg-type]  # both are kinds
