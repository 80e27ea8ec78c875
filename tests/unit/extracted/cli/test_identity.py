"""`polycode identity apply` as an operator types it."""

import json
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from extracted.identity_server.wanted import HERE
from parts.fresh import IdentityServer
from tests.support.connected import fresh_realm
from tests.support.keycloak.identity import CLIENTS, fresh_secrets
from tests.unit.extracted.cli.polycode import UNREACHABLE, USAGE, Polycode


def files(folder: Path, password: str, secrets: Mapping[str, str]) -> Polycode:
    """The command, with a file for each secret."""
    (folder / "clients").mkdir()
    (folder / "password").write_text(f"{password}\n")
    for name, secret in secrets.items():
        (folder / "clients" / name).write_text(f"{secret}\n")
    own = {"PASSWORD_FILE": str(folder / "password"), "SECRETS": str(folder / "clients")}
    return Polycode({f"POLYCODE_KEYCLOAK_{name}": value for name, value in own.items()})


@pytest.fixture
def polycode(tmp_path: Path) -> Polycode:
    return files(tmp_path, "password-of-the-administrator", {name: f"secret-of-{name}" for name in CLIENTS})


def test_missing_or_weak_secrets_are_all_named_before_keycloak_is_asked(polycode: Polycode, tmp_path: Path) -> None:
    (tmp_path / "clients" / "polycode").unlink()
    (tmp_path / "clients" / "polycode-shop").write_text("short-secret")
    message = polycode.refused("identity", "apply", code=USAGE)
    assert f"{tmp_path / 'clients' / 'polycode'} cannot be read: No such file" in message
    assert f"{tmp_path / 'clients' / 'polycode-shop'}: a secret has at least 16 printable ASCII characters" in message
    assert "short-secret" not in message


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--url", "keycloak:8080"), USAGE, "is not an address like http://127.0.0.1:8080"),
        (("--realm", "../master"), USAGE, "may only have letters, digits, - and _"),
        (("--password-file", "/nowhere"), USAGE, "/nowhere cannot be read: No such file"),
        (("--url", "http://127.0.0.1:1"), UNREACHABLE, "no answer from http://127.0.0.1:1 (it does not accept"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(polycode: Polycode, words: tuple[str, ...], code: int, says: str) -> None:
    assert says in polycode.refused("identity", "apply", *words, code=code)


def test_the_realm_has_no_secret_no_wildcard_and_grants_passwords_to_one_client_alone() -> None:
    realm = json.loads((HERE / "realm.json").read_text())
    assert '"secret"' not in json.dumps(realm)
    assert all(not client["redirectUris"] and not client["webOrigins"] for client in realm["clients"])
    assert [one["clientId"] for one in realm["clients"] if one.get("directAccessGrantsEnabled")] == ["polycode"]
    assert not any(one["publicClient"] or one.get("standardFlowEnabled") for one in realm["clients"])


@pytest.mark.connected
class TestOnKeycloak:
    """A realm of its own on the real one."""

    @pytest.fixture
    def server(self) -> IdentityServer:
        return fresh_realm()

    @pytest.fixture
    def secrets(self) -> Mapping[str, str]:
        return fresh_secrets()

    @pytest.fixture
    def polycode(self, server: IdentityServer, secrets: Mapping[str, str], tmp_path: Path) -> Polycode:
        own = {"POLYCODE_KEYCLOAK_URL": server.url, "POLYCODE_KEYCLOAK_REALM": server.realm}
        return Polycode({**files(tmp_path, server.password, secrets).environ, **own})

    def test_twice_changes_nothing_more_and_nothing_secret_is_shown(
        self, polycode: Polycode, server: IdentityServer, secrets: Mapping[str, str]
    ) -> None:
        planned = polycode.json("identity", "apply", "--dry-run")
        assert httpx.get(server.realm_url).status_code == 404
        done = polycode.json("identity", "apply")
        assert (planned["applied"], done["applied"]) == (False, True)
        assert planned["changes"] == done["changes"] != []
        assert "nothing to change" in polycode.shown("identity", "apply")
        improved = polycode.shown("identity", "apply", "--compat", "improved", "--dry-run")
        assert "clients polycode attributes access.token.lifespan  259200  600" in improved
        shown = json.dumps(done) + improved
        assert not any(secret in shown for secret in (server.password, *secrets.values()))

    def test_the_realm_of_another_project_is_refused(self, polycode: Polycode) -> None:
        message = polycode.refused("identity", "apply", "--realm", "master")
        assert "has a realm master that polycode did not make; choose another name with --realm, or --adopt" in message

    def test_a_wrong_password_is_refused(self, polycode: Polycode, server: IdentityServer, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("wrong-password")
        message = polycode.refused("identity", "apply")
        assert message == f"keycloak: {server.url} refuses admin: Invalid user credentials (401)\n"
