"""Both sides answer as the services' OpenAPI documents say, for all requests that schemathesis generates."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from extracted.account.api import application as account
from extracted.learning.api import application as learning
from extracted.shop.api import application as shop
from extracted.wire.openapi import document
from tests.parity.learning.lessons import CONTENT, MODULE
from tests.parity.sides import JSON
from tests.recordings.running import running_monolith
from tests.support.monolith.monolith_file import SECRET, MonolithFile
from tests.support.stores import Stores
from tests.unit.extracted.running import Gateway, RunningService, ask
from tests.unit.extracted.services import running_services

pytestmark = pytest.mark.walk

SERVICES = {"shop": shop, "account": account, "learning": learning}
DOCUMENTS = {name: document(api.DOCUMENT) for name, api in SERVICES.items()}
WRITES_LAST = ("get", "post", "put", "patch", "delete")
OPERATIONS = sorted(
    (
        (name, method, path)
        for name, described in DOCUMENTS.items()
        for path, item in described["paths"].items()
        for method in WRITES_LAST
        if method in item
    ),
    key=lambda operation: WRITES_LAST.index(operation[1]),
)
OURS = frozenset({"/me/items"})
"""The monolith has no such path, and the document no answer that says so."""
UNKNOWN = "00000000-0000-4000-8000-000000000000"
ACTORS = {"nobody": (), "guest": ("guest",), "user": ("guest", "user"), "admin": ("admin",)}


@dataclass(frozen=True)
class Described:
    """All sides over one database. `headers`: by side and actor; `ids`: existing ids by the path's first word.

    `schemas` and `checks` are schemathesis', untyped here: its import takes seconds, which collecting tests must not.
    """

    urls: Mapping[str, str]
    headers: Mapping[tuple[str, str], Mapping[str, str]]
    ids: Mapping[str, list[str]]
    session: requests.Session
    schemas: Mapping[str, Any]
    checks: list[Any]

    def call(self, case: Any, side: str, actor: str) -> None:
        """Fails when the answer is not as described."""
        response = case.call(
            base_url=self.urls[side], session=self.session, headers=dict(self.headers[side, actor]), timeout=20
        )
        case.validate_response(response, checks=self.checks)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    path = tmp_path_factory.mktemp("described") / "monolith.sqlite3"
    with ExitStack() as stack:
        gateway = Gateway()
        stack.callback(gateway.close)
        monolith = stack.enter_context(running_monolith(path, seed="demo", environ={"AUTH_JWT_SECRET": SECRET}))
        file = MonolithFile(path)
        stack.callback(file.close)
        broker_url = f"sqlite:///{path.parent / 'broker.sqlite3'}"
        services = list(running_services(stack, Stores(file.url), broker_url, gateway).values())
        users = {name: file.add_user(*roles, points=7) for name, roles in ACTORS.items()}
        headers = _headers(file, users, services)
        ids = _filled(file, users) | _lessons(monolith.port, headers["monolith", "admin"])
        urls = {"monolith": monolith.url} | {one.name: f"http://127.0.0.1:{one.port}" for one in services}
        session = stack.enter_context(requests.Session())
        yield Described(urls, headers, ids, session, _schemas(), _checks())


def _schemas() -> dict[str, Any]:
    import schemathesis

    return {name: schemathesis.openapi.from_dict(described) for name, described in DOCUMENTS.items()}


def _checks() -> list[Any]:
    from schemathesis.checks import load_all_checks
    from schemathesis.specs.openapi import checks

    load_all_checks()
    return [
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    ]


def _filled(file: MonolithFile, users: Mapping[str, str]) -> dict[str, list[str]]:
    items = [file.add_item(cost=cost) for cost in (0, 0.5, 1e21)]
    for user in users.values():
        file.add_settings(user)
        file.add_purchase(user, items[0])
    team = file.add_team("Blue", users["user"], users["guest"])
    return {"item": items, "user": [*users.values(), "@me"], "team": [team], "purchases": [UNKNOWN]}


def _lessons(port: int, headers: Mapping[str, str]) -> dict[str, list[str]]:
    """A content and a module that names it, made by the monolith."""
    ids: dict[str, list[str]] = {}
    for kind, new in (("content", CONTENT), ("module", MODULE)):
        body = json.dumps(new | ({"contents": ids["content"]} if kind == "module" else {}))
        answer = ask(port, f"/{kind}", "POST", {**headers, **JSON}, body.encode())
        ids[kind] = [json.loads(answer.body)["data"]["id"]]
    return ids


def _headers(
    file: MonolithFile, users: Mapping[str, str], services: list[RunningService]
) -> dict[tuple[str, str], Mapping[str, str]]:
    """The client's token for the monolith; for a service the gateway's."""
    headers: dict[tuple[str, str], Mapping[str, str]] = {}
    for actor, roles in ACTORS.items():
        known = Identity(AuthenticationOutcome.USER, users[actor], roles) if roles else NOBODY
        headers["monolith", actor] = {"Authorization": f"Bearer {file.login(users[actor])}"} if roles else {}
        for service in services:
            headers[service.name, actor] = service.gateway.authorization(known, service.name)
    return headers


@pytest.mark.parametrize(("service", "method", "path"), OPERATIONS)
@settings(max_examples=8, derandomize=True, database=None)
@given(data=st.data())
def test_every_answer_is_described(
    described: Described, service: str, method: str, path: str, data: st.DataObject
) -> None:
    from schemathesis import GenerationMode

    mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]), "mode")
    case = data.draw(described.schemas[service][path][method].as_strategy(generation_mode=mode), "case")
    actor = data.draw(st.sampled_from(["admin", "admin", *ACTORS]), "actor")
    if "{id}" in path and method != "delete" and data.draw(st.sampled_from([False, True]), "known"):
        case.path_parameters["id"] = data.draw(st.sampled_from(described.ids[path.split("/")[1]]), "id")
    for side in (service,) if path in OURS else (service, "monolith"):
        described.call(case, side, actor)


@pytest.mark.parametrize("service", SERVICES)
def test_the_document_is_served_to_everybody(described: Described, service: str) -> None:
    answer = ask(int(described.urls[service].rpartition(":")[2]), "/openapi.json", "GET", {})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.body == SERVICES[service].description()
