"""Each service's document and its routes tell the same."""

import json
import re
from typing import Any, cast

import pytest

from extracted.account.api import application as account
from extracted.account.domain import Compat
from extracted.account.purchases.api import purchases
from extracted.account.sign_in.api import tokens
from extracted.account.teams.api import teams
from extracted.account.users.api import email_addresses, sign_up, user_settings, users
from extracted.account.users.service import EmailAddressService
from extracted.shop.api import application as shop
from extracted.shop.service import Shop
from extracted.wire.application import ApiRoute
from extracted.wire.openapi import document

NOTHING = cast(Any, None)
"""No store and no keys: nothing is called."""
NOTHING_KEPT = cast(Any, object())
SERVICES = {
    "shop": (shop, list(shop.routes(Shop(NOTHING, NOTHING), NOTHING, NOTHING_KEPT))),
    "account": (
        account,
        list(
            account.routes(
                [
                    *users.routes(NOTHING),
                    *user_settings.routes(NOTHING),
                    *teams.routes(NOTHING),
                    *purchases.routes(NOTHING, NOTHING),
                    *sign_up.routes(NOTHING),
                    *tokens.routes(NOTHING),
                    *email_addresses.routes(EmailAddressService(NOTHING, NOTHING, Compat.STRICT)),
                    *teams.write_routes(NOTHING),
                ],
                NOTHING,
                NOTHING,
                Compat.STRICT,
            )
        ),
    ),
}
METHODS = ("get", "post", "put", "patch", "delete")


def operations(described: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """By method and path."""
    items = described["paths"].items()
    return {(method.upper(), path): item[method] for path, item in items for method in METHODS if method in item}


def references(value: object) -> set[str]:
    return set(re.findall(r'"\$ref": "#/components/(\w+/\w+)"', json.dumps(value)))


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> tuple[dict[str, Any], list[ApiRoute]]:
    api, routes = SERVICES[request.param]
    return document(api.DOCUMENT), routes


def test_what_is_described_is_what_is_served(service: tuple[dict[str, Any], list[ApiRoute]]) -> None:
    described, routes = service
    assert set(operations(described)) == {(route.method, route.path) for route in routes}


def test_variables_references_and_what_guards_answer_are_described(
    service: tuple[dict[str, Any], list[ApiRoute]],
) -> None:
    described, _ = service
    for path, item in described["paths"].items():
        named = re.findall(r"\{(\w+)\}", path)
        resolved = [resolve(described, parameter) for parameter in item.get("parameters", [])]
        assert [parameter["name"] for parameter in resolved if parameter["in"] == "path"] == named

    there = {f"{kind}/{name}" for kind, named in described["components"].items() for name in named}
    assert references(described) - there == set()

    for operation in operations(described).values():
        assert {"400", "401", "403", "413", "500"} < set(operation["responses"])
        assert operation["operationId"]
        assert operation["summary"]


def resolve(described: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """The value, or what it refers to."""
    _, _, place = value.get("$ref", "").partition("#/components/")
    kind, _, name = place.partition("/")
    return dict(described["components"][kind][name]) if name else value
