"""Account and a real Keycloak: log-in, refresh, expiry, new keys, an absence, an empty database, 500 users at once."""

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from chassis.database import migrations
from extracted.account.purchases.storage import MIGRATIONS
from extracted.identity_server.wanted import Compatibility
from tests.support.keycloak.identity import (
    AppliedRealm,
    account_settings,
    add_key,
    administer,
    applied_realm,
    apply_to,
    hash_fast,
)
from tests.support.monolith.monolith_file import MonolithFile
from tests.support.system.tcp_proxy import TcpProxy
from tests.support.system.waiting import until
from tests.unit.extracted.running import Gateway, RunningService, ask, running_service

pytestmark = pytest.mark.connected
PASSWORD = "correct horse 9"
USERS, AT_ONCE = 150, 50
TIMEOUT_S, IMPATIENT_S = 60, 2
"""How long Account waits for Keycloak: where it is there, and where it says nothing."""


@dataclass(frozen=True)
class Signing:
    """Account under `improved`, and a realm of its own behind a proxy. `impatient`: another process of Account."""

    data: MonolithFile
    account: RunningService
    impatient: RunningService
    realm: AppliedRealm
    proxy: TcpProxy

    def user(self, *roles: str, password: str = PASSWORD) -> tuple[str, str]:
        """Id and identity."""
        user_id = self.data.add_user(*roles)
        self.data.add_login(user_id, f"{user_id}@b.example", password)
        return user_id, f"{user_id}@b.example"

    def token(self, **body: str) -> tuple[int, Mapping[str, Any]]:
        """The answer of POST /auth/token: its status, and `data`."""
        sent = json.dumps(body).encode()
        answer = self.account.ask("/auth/token", method="POST", headers={"Content-Type": "application/json"}, body=sent)
        return answer.status, json.loads(answer.body).get("data", {})

    def log_in(self, identity: str, password: str = PASSWORD) -> tuple[int, Mapping[str, Any]]:
        return self.token(grantType="implicit", identity=identity, secret=password)

    def refresh(self, tokens: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        return self.token(grantType="refresh_token", refreshToken=tokens["refreshToken"])

    def live(self, tokens: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What the gateway is told about the access token. None: it does not count."""
        head = {"Authorization": f"Bearer {tokens['accessToken']}"}
        answer = ask(self.account.port, "/internal/identity", "GET", head)
        assert answer.status in (200, 401), answer.body
        return dict(json.loads(answer.body)) if answer.status == 200 else None

    def entered(self, *roles: str) -> tuple[str, str, Mapping[str, Any]]:
        """A new user who has logged in at Keycloak: id, identity, tokens."""
        user_id, identity = self.user(*roles)
        status, tokens = self.log_in(identity)
        assert (status, set(tokens)) == (201, {"accessToken", "tokenType", "expiresAt", "refreshToken"})
        return user_id, identity, tokens


@pytest.fixture(scope="module")
def signing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signing]:
    data = MonolithFile(tmp_path_factory.mktemp("monolith") / "monolith.sqlite3")
    asyncio.run(migrations.upgrade(data.url, "account", MIGRATIONS))
    realm, gateway = applied_realm(compatibility=Compatibility.IMPROVED), Gateway()
    hash_fast(realm)
    with TcpProxy(int(realm.server.url.rpartition(":")[2])) as proxy:
        own = account_settings(realm, proxy.through(realm.server.url)) | {"COMPAT": "improved"}
        with (
            running_service("account", data.url, gateway, **own, KEYCLOAK_TIMEOUT_S=str(TIMEOUT_S)) as account,
            running_service("account", data.url, gateway, **own, KEYCLOAK_TIMEOUT_S=str(IMPATIENT_S)) as impatient,
        ):
            yield Signing(data, account, impatient, realm, proxy)
            logged = account.log.read_text() + impatient.log.read_text()
    gateway.close()
    data.close()
    assert PASSWORD not in logged
    assert not any(secret in logged for secret in realm.secrets.values())


def test_a_user_logs_in_and_a_new_role_is_seen_with_the_same_token(signing: Signing) -> None:
    user_id, identity, tokens = signing.entered("guest")
    assert (signing.live(tokens) or {}).get("roles") == ["guest"]
    signing.data.give_role(user_id, "user")
    assert (signing.live(tokens) or {}).get("roles") == ["guest", "user"]
    assert signing.log_in(identity, "another one")[0] == 401
    assert signing.log_in(identity)[0] == 201


def test_a_refresh_token_works_once_and_two_tabs_may_use_it_together(signing: Signing) -> None:
    _, _, tokens = signing.entered("user")
    with ThreadPoolExecutor(2) as tabs:
        both = [*tabs.map(lambda _tab: signing.refresh(tokens), range(2))]
    renewed = [answer for status, answer in both if status == 201]
    assert renewed
    assert signing.live(renewed[0])
    assert signing.refresh(tokens)[0] == 401
    assert signing.refresh({"refreshToken": tokens["accessToken"]})[0] == 401
    until(lambda: signing.live(renewed[0]) is None, "the session has ended")  # who replays a token ends its session


@contextmanager
def short_tokens(realm: AppliedRealm, lifetime_s: int) -> Iterator[None]:
    """What is issued meanwhile."""
    (client,) = administer(realm, "GET", "/clients?clientId=polycode")
    short = {**client["attributes"], "access.token.lifespan": str(lifetime_s)}
    administer(realm, "PUT", f"/clients/{client['id']}", client | {"attributes": short})
    yield
    administer(realm, "PUT", f"/clients/{client['id']}", client)


def test_a_token_expires_and_is_refreshed(signing: Signing) -> None:
    with short_tokens(signing.realm, 2):
        _, _, tokens = signing.entered("user")
    assert signing.live(tokens)
    until(lambda: signing.live(tokens) is None, "the token is over")
    status, renewed = signing.refresh(tokens)
    assert status == 201
    assert signing.live(renewed)


def test_new_keys_are_accepted_at_once_and_old_tokens_go_on(signing: Signing) -> None:
    _, identity, tokens = signing.entered("user")
    assert signing.live(tokens)
    add_key(signing.realm, 1000)
    status, renewed = signing.log_in(identity)
    assert status == 201
    assert "refreshToken" in renewed
    assert signing.live(renewed)
    assert signing.live(tokens)


def test_who_is_disabled_is_out_within_seconds_and_cannot_come_back(signing: Signing) -> None:
    user_id, identity, tokens = signing.entered("user")
    assert signing.live(tokens)
    (found,) = administer(signing.realm, "GET", f"/users?exact=true&username={user_id}")
    administer(signing.realm, "PUT", f"/users/{found['id']}", {"enabled": False})
    until(lambda: signing.live(tokens) is None, "the token is over")
    assert signing.log_in(identity)[0] == 401
    assert signing.refresh(tokens)[0] == 401


def test_whom_others_have_locked_gets_in_with_the_right_password(signing: Signing) -> None:
    user_id, identity, _ = signing.entered("user")
    (found,) = administer(signing.realm, "GET", f"/users?exact=true&username={user_id}")
    path = f"/attack-detection/brute-force/users/{found['id']}"
    form = {"grant_type": "password", "client_id": "polycode", "client_secret": signing.realm.secrets["polycode"]}
    with httpx.Client(timeout=60, trust_env=False) as attacker:
        for _ in range(35):
            attacker.post(signing.realm.token_url, data=form | {"username": user_id, "password": "a guess at it"})
    until(lambda: administer(signing.realm, "GET", path)["disabled"], "Keycloak has locked the user")
    assert "refreshToken" in signing.log_in(identity)[1]
    assert not administer(signing.realm, "GET", path)["disabled"]


def test_one_user_logs_in_from_many_devices_at_once(signing: Signing) -> None:
    """Keycloak would refuse all but one of them: parts/servers/keycloak.py starts it with CONCURRENT."""
    _, identity, _ = signing.entered("user")
    with ThreadPoolExecutor(8) as devices:
        answers = [*devices.map(lambda _device: signing.log_in(identity), range(16))]
    assert [(status, "refreshToken" in tokens) for status, tokens in answers] == [(201, True)] * 16


@contextmanager
def refusing(proxy: TcpProxy) -> Iterator[None]:
    proxy.refuses = True
    proxy.cut()
    yield
    proxy.heal()


@contextmanager
def silent(proxy: TcpProxy) -> Iterator[None]:
    """As if a cable was pulled."""
    proxy.up.held = proxy.down.held = True
    yield
    proxy.heal()


@pytest.mark.parametrize("away", [refusing, silent])
def test_while_keycloak_is_away_nobody_is_refused_by_mistake(signing: Signing, away: Any) -> None:
    _, moved, tokens = signing.entered("user")
    _, new = signing.user("user")
    signing = replace(signing, account=signing.impatient)
    assert signing.live(tokens)
    with away(signing.proxy):
        for _ in range(8):
            assert signing.live(tokens)
            assert signing.log_in(moved, "another one")[0] == 401
            for identity in (moved, new):
                status, issued = signing.log_in(identity)
                assert (status, "refreshToken" in issued) == (201, False)
            assert signing.refresh(tokens)[0] == 503
    until(lambda: "refreshToken" in signing.log_in(moved)[1], "Keycloak is asked again")
    assert signing.live(tokens)
    until(lambda: "refreshToken" in signing.log_in(new)[1], "the other one moves, too")


def test_150_users_move_under_load_and_every_password_works(signing: Signing) -> None:
    """Some of them log in twice at once at first; beside them, another user refreshes."""
    passwords = [f"password of {number}" for number in range(USERS)]
    crowd_of = [(signing.user("user", password=password)[1], password) for password in passwords]
    stopped, refreshed = threading.Event(), [signing.entered("user")[2]]

    def refresh() -> None:
        while not stopped.is_set():
            status, tokens = signing.refresh(refreshed[-1])
            assert status == 201
            refreshed.append(tokens)

    with ThreadPoolExecutor(9) as crowd:
        beside = crowd.submit(refresh)
        first = [*crowd.map(lambda one: signing.log_in(*one), [*crowd_of[:AT_ONCE], *crowd_of])]
        then = [*crowd.map(lambda one: signing.log_in(*one), crowd_of)]
        stopped.set()
        beside.result()
    assert {status for status, _ in first + then} == {201}
    assert all("refreshToken" in tokens for _, tokens in then)
    assert len(refreshed) > 1
    assert administer(signing.realm, "GET", "/users/count") >= USERS


def test_with_an_empty_database_of_keycloak_everybody_logs_in_again(signing: Signing) -> None:
    _, identity, tokens = signing.entered("user")
    administer(signing.realm, "DELETE")
    assert signing.log_in(identity)[0] == 201
    asyncio.run(apply_to(signing.realm, Compatibility.IMPROVED))
    until(lambda: "refreshToken" in signing.log_in(identity)[1], "Keycloak is asked again")
    assert signing.live(signing.log_in(identity)[1])
    assert signing.live(tokens) is None
    assert signing.refresh(tokens)[0] == 401
