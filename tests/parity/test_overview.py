"""GET /me/overview answers the same whichever side each of its calls goes to: what the web client's own calls bring."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.http.gateway_process import GatewayProcess
from tests.parity.sides import ACTORS, BOUGHT, fill
from tests.recordings.running import running_monolith_on
from tests.support.monolith.monolith_file import SECRET, MonolithData
from tests.support.stores import EVERYWHERE
from tests.unit.extracted.running import Answer, Gateway, RunningService, ask
from tests.unit.extracted.services import NOWHERE, running_services

pytestmark = pytest.mark.walk

ROUTES = Path(__file__).parents[2] / "routes.yaml"
STATES = ("legacy", "shadow", "canary, share: 50", "extracted", "retired")
MIXES = [(users, teams) for users in STATES for teams in ("legacy", "canary, share: 50", "extracted")]
ON_REAL_PARTS = [(users, teams) for users, teams in MIXES if users == teams]
"""Which side is asked does not depend on the database, and what a side answers is the same in every mix."""
EVERY_MIX = [
    pytest.param(store.values[0], *mix, id="-".join((str(store.id), *mix)), marks=store.marks)
    for store, mixes in zip(EVERYWHERE, (MIXES, ON_REAL_PARTS), strict=True)
    for mix in mixes
]
CASCADE = {"user": "/user/@me", "emails": "/user/@me/email", "settings": "/user/@me/settings"}


@dataclass(frozen=True)
class Whole:
    """The monolith and all services on one database. `told`: what the client's own calls bring, by actor."""

    directory: Path
    credentials: Mapping[str, str]
    environ: Mapping[str, str]
    services: Mapping[str, RunningService]
    told: dict[str, tuple[int, Any]] = field(default_factory=dict)

    def gateway(self, name: str, users: str, teams: str, **environ: str) -> GatewayProcess:
        """The shipped routes.yaml, with two groups in these states."""
        text = ROUTES.read_text()
        for group, state in (("users", users), ("teams", teams)):
            assert f"  {group}: {{state: legacy," in text
            text = text.replace(f"  {group}: {{state: legacy,", f"  {group}: {{state: {state},")
        file = self.directory / f"{name}.yaml"
        file.write_text(text)
        return GatewayProcess(file, self.directory / name, {**self.environ, **environ})

    def asks(self, port: int, actor: str, target: str) -> Answer:
        credential = self.credentials[actor]
        return ask(port, target, "GET", {"Authorization": credential} if credential else {})

    def cascade(self, port: int, actor: str) -> tuple[int, Any]:
        """Status and body as GET /me/overview should have them, from the calls that it replaces."""
        first = self.asks(port, actor, CASCADE["user"])
        if first.status != 200:
            return first.status, json.loads(first.body)
        marks: dict[str, object] = {}
        data = {name: self._data(port, actor, target, marks, name) for name, target in CASCADE.items()}
        teams = self._data(port, actor, "/user/@me/teams", marks, "memberships")["teams"]
        data["teams"] = [self._data(port, actor, f"/team/{team['id']}", marks, "teams") for team in teams]
        item = self._data(port, actor, f"/item/bought/{BOUGHT}", marks, "items")
        data["items"] = [] if item["data"] is None else [item]
        return 200, {"metadata": {"marks": marks}, "data": in_order(data)}

    def overview(self, port: int, actor: str) -> tuple[int, Any]:
        answer = self.asks(port, actor, "/me/overview")
        return answer.status, json.loads(answer.body)

    def _data(self, port: int, actor: str, target: str, marks: dict[str, object], name: str) -> Any:
        answer = self.asks(port, actor, target)
        if answer.status != 200:
            marks[name] = {"reason": "status", "status": answer.status}
            return None
        return json.loads(answer.body)["data"]


def in_order(data: dict[str, Any]) -> dict[str, Any]:
    """The contract leaves the order of members, teams and addresses open (§4.2, §4.4)."""
    teams = [team | {"members": sorted(team["members"], key=str)} for team in data["teams"]]
    return data | {"teams": sorted(teams, key=str), "emails": sorted(data["emails"], key=str)}


@pytest.fixture(scope="module", params=EVERYWHERE)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    directory = tmp_path_factory.mktemp("overview")
    stores, keys = request.param(directory), Gateway()
    with ExitStack() as stack:
        stack.callback(keys.close)
        variables = {"AUTH_JWT_SECRET": SECRET}
        monolith = stack.enter_context(running_monolith_on(stores, seed="demo", environ=variables))
        file = MonolithData(stores)
        stack.callback(file.close)
        credentials = fill(file)
        services = running_services(stack, stores, f"sqlite:///{directory / 'broker.sqlite3'}", keys)
        urls = {f"{name.upper()}_URL": f"http://127.0.0.1:{one.port}" for name, one in services.items()}
        environ = urls | {
            "MONOLITH_URL": monolith.url,
            "AUTH_JWT_SECRET": SECRET,
            "LEGACY_DATABASE_URL": file.url,
            "STRANGLER_SIGNING_KEY": keys.signing_key,
        }
        found = Whole(directory, credentials, environ, services)
        for name in ("first team", "second team"):
            said = {"Authorization": credentials["user"], "Content-Type": "application/json"}
            made = ask(monolith.port, "/team", "POST", said, json.dumps({"name": name}).encode())
            assert made.status == 201
        found.told.update({actor: found.cascade(monolith.port, actor) for actor in ACTORS})
        yield found


@pytest.mark.parametrize(("whole", "users", "teams"), EVERY_MIX, indirect=["whole"], scope="module")
def test_everybody_gets_what_the_calls_bring_in_every_mix_of_states(whole: Whole, users: str, teams: str) -> None:
    gateway = whole.gateway(f"{users}-{teams}".replace(", share: ", ""), users, teams)
    try:
        seen = {actor: whole.overview(gateway.port, actor) for actor in ACTORS}
    finally:
        gateway.stop()
    for status, body in seen.values():
        if status == 200:
            body["data"] = in_order(body["data"])
    assert seen == whole.told
    assert len(whole.told["user"][1]["data"]["teams"]) == 2
    assert {status for status, _ in seen.values()} == {200, 401, 403, 404}


def test_without_account_what_the_monolith_serves_is_there_and_the_rest_is_marked(whole: Whole) -> None:
    nowhere = {"ACCOUNT_URL": NOWHERE, "SHOP_URL": NOWHERE}
    gateway = whole.gateway("away", "legacy", "extracted", **nowhere)
    try:
        status, body = whole.overview(gateway.port, "user")
    finally:
        gateway.stop()
    told, marks = whole.told["user"][1]["data"], whole.told["user"][1]["metadata"]["marks"]
    assert status == 200
    assert {name: body["data"][name] for name in CASCADE} == {name: told[name] for name in CASCADE}
    assert (body["data"]["teams"], body["data"]["items"]) == ([None, None], None)
    failed = [{"index": at, "reason": "unreachable"} for at in (0, 1)]
    assert body["metadata"]["marks"] == marks | {"teams": {"failed": failed}, "items": {"reason": "unreachable"}}
