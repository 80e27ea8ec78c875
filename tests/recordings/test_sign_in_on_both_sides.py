"""Half of the log-ins go to Account, which issues Keycloak's tokens: each side understands either kind, and a rollback
locks nobody out. Monolith, Account and Keycloak are real, behind a real gateway."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.recordings.conversation import verification_token
from tests.recordings.strangled import Parts, Strangled, strangled, with_keycloak
from tests.support.keycloak.identity import hash_fast
from tests.support.monolith.monolith_file import MonolithData
from tests.unit.extracted.services import NOWHERE

pytestmark = pytest.mark.connected
USERS = 40
PASSWORD = "correct horse 9"


@dataclass(frozen=True)
class BothSides:
    """`identities` → the user's id."""

    system: Strangled
    client: httpx.Client
    identities: Mapping[str, str]

    def move(self, *steps: str) -> None:
        """Both groups, step by step; half of the users in canary. The test looks itself whether all is well."""
        for state in steps:
            share = {"share": 50} if state == "canary" else {}
            for group in ("sign-in", "users"):
                move = {"unit": group, "to": state, "why": "test", "force": True} | share
                self.system.administer("POST", "/flip", **move)

    def roll_back(self) -> None:
        """Both groups, and nothing holds them there."""
        for group in ("sign-in", "users"):
            self.system.administer("POST", "/rollback", unit=group, why="test")
            self.system.administer("POST", "/release", unit=group, why="test")

    def log_in(self, identity: str) -> str:
        body = {"grantType": "implicit", "identity": identity, "secret": PASSWORD}
        answer = self.client.post("/auth/token", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["accessToken"])

    def log_in_all(self) -> dict[str, str]:
        """Identity → token."""
        with ThreadPoolExecutor(4) as crowd:
            return dict(zip(self.identities, crowd.map(self.log_in, self.identities), strict=True))

    def user(self, token: str) -> tuple[int, Any]:
        """The status of GET /user/@me, and the user's id."""
        answer = self.client.get("/user/@me", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code, answer.json().get("data", {}).get("id")

    def all_are_known(self, tokens: Mapping[str, str]) -> bool:
        with ThreadPoolExecutor(4) as crowd:
            told = crowd.map(self.user, tokens.values())
        return [*told] == [(200, self.identities[identity]) for identity in tokens]


def is_keycloaks(token: str) -> bool:
    return len(token) > 500


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BothSides]:
    directory: Path = tmp_path_factory.mktemp("sides")
    parts: Parts = with_keycloak(directory)
    assert parts.realm is not None
    hash_fast(parts.realm)
    with strangled(directory, parts, "legacy", NOWHERE) as system:
        data = MonolithData(parts.stores)
        identities = {}
        for number in range(USERS):
            user_id = data.add_user("guest", "user")
            identities[f"user-{number}@b.example"] = user_id
            data.add_login(user_id, f"user-{number}@b.example", PASSWORD)
        with httpx.Client(base_url=system.url, timeout=60, trust_env=False) as client:
            yield BothSides(system, client, identities)
        data.close()


def test_tokens_of_either_kind_cross_the_sides_forward_and_back(sides: BothSides) -> None:
    old = sides.log_in_all()
    assert not any(map(is_keycloaks, old.values()))
    sides.move("shadow", "canary")
    mixed = sides.log_in_all()
    assert {is_keycloaks(token) for token in mixed.values()} == {False, True}
    assert all(map(sides.all_are_known, (old, mixed)))
    sides.move("extracted")
    new = sides.log_in_all()
    assert all(map(is_keycloaks, new.values()))
    assert all(map(sides.all_are_known, (old, mixed, new)))
    sides.roll_back()
    assert all(map(sides.all_are_known, (old, mixed, new)))
    assert not any(map(is_keycloaks, sides.log_in_all().values()))
    sides.move("shadow", "canary")
    assert all(map(sides.all_are_known, (old, mixed, new, sides.log_in_all())))
    head, claims, signature = next(iter(new.values())).split(".")
    for forged in (f"{head}.{claims}.{signature[::-1]}", f"{head}.{claims}."):
        assert sides.user(forged)[0] == 403
    sides.roll_back()


def test_a_sign_up_and_a_role_of_one_side_count_on_the_other_at_once(sides: BothSides) -> None:
    """A rollback right after a sign-up; the link in the mail is opened at the monolith, and the old token sees it."""
    sides.move("shadow", "canary", "extracted")
    body = {"username": "newcomer", "password": PASSWORD, "email": "newcomer@b.example"}
    assert sides.client.post("/user", json=body).status_code == 201
    token = sides.log_in("newcomer@b.example")
    assert is_keycloaks(token)
    head = {"Authorization": f"Bearer {token}"}
    assert sides.client.get("/user", headers=head).status_code == 403
    sides.roll_back()
    assert not is_keycloaks(sides.log_in("newcomer@b.example"))
    assert sides.client.get("/user", headers=head).status_code == 403
    (mail,) = sides.system.sink.to("newcomer@b.example", 1)
    assert sides.client.post(f"/user/email/validate/{verification_token(mail)}").status_code == 204
    assert sides.client.get("/user", headers=head).status_code == 200
    sides.move("shadow", "canary", "extracted")
    assert sides.client.get("/user", headers=head).status_code == 200
