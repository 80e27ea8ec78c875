"""Several URLs in --admin: the first gateway that answers is used, and a rollback goes to all of them."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from strangler_gateway.cli import client
from strangler_gateway.cli.app import app
from strangler_gateway.cli.moves import rollback_at_all
from tests.support.gateway.administered import OPERATOR, AdminServer

pytestmark = pytest.mark.walk

DONE, USAGE, UNREACHABLE = 0, 2, 3
NO_GATEWAY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("STRANGLER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STRANGLER_ADMIN_TOKEN", OPERATOR)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AdminServer, AdminServer]]:
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "other")]
    with AdminServer(folders[0]) as one, AdminServer(folders[1]) as other:
        yield one, other


@pytest.fixture
def still() -> Iterator[str]:
    """The URL of a gateway that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield f"http://127.0.0.1:{made.getsockname()[1]}"


def run(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def in_shadow(*gateways: AdminServer) -> None:
    for one in gateways:
        run("release", "items", "--admin", one.url)
        flipped = run("flip", "items", "--to", "shadow", "--why", "a test", "--admin", one.url)
        assert flipped.exit_code == DONE, flipped.output


def test_the_first_gateway_that_answers_is_used(gateways: tuple[AdminServer, AdminServer], still: str) -> None:
    one, other = gateways
    in_shadow(one)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(client, "LIVE_TIMEOUT_S", 0.2)
        shown = run("routes", "items", "--json", "--admin", f"{NO_GATEWAY}, {still},{one.url}/,{other.url}")
    assert shown.exit_code == DONE, shown.output
    assert {route["state"] for route in json.loads(shown.stdout)["routes"]} == {"shadow"}


def test_a_rollback_goes_to_every_gateway_under_one_name_and_says_which(
    gateways: tuple[AdminServer, AdminServer], still: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = gateways
    monkeypatch.setattr(client, "LIVE_TIMEOUT_S", 0.2)
    monkeypatch.setattr(rollback_at_all, "LIVE_TIMEOUT_S", 0.2)
    in_shadow(one, other)
    urls = ",".join((still, one.url, NO_GATEWAY, other.url))
    result = run("rollback", "items", "--admin", urls)
    assert result.exit_code == DONE, result.output
    assert f"rolled back at {one.url}, {other.url}\n" in result.stdout
    for silent in (still, NO_GATEWAY):
        assert f"{silent} was not reached (" in result.stdout
    records = [server.migration.standings["items"].record for server in gateways]
    assert records[0].rolled_back.items() <= records[1].rolled_back.items()
    assert all(server.migration.standings["items"].hold is not None for server in gateways)
    in_shadow(one, other)
    told = json.loads(run("rollback", "--all", "--json", "--admin", urls).stdout)
    assert [row["reached"] for row in told["asked"]] == [False, True, False, True]


def test_nobody_who_answers_ends_with_3_and_names_all(still: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LIVE_TIMEOUT_S", 0.2)
    monkeypatch.setattr(rollback_at_all, "LIVE_TIMEOUT_S", 0.2)
    for words in (("routes",), ("rollback", "items")):
        result = run(*words, "--admin", f"{NO_GATEWAY},{still}")
        assert result.exit_code == UNREACHABLE
        assert NO_GATEWAY in result.stderr
        assert still in result.stderr
    assert run("routes", "--admin", " , ").exit_code == USAGE


def test_a_gateway_that_refuses_the_rollback_is_told_as_not_reached(
    gateways: tuple[AdminServer, AdminServer], tmp_path: Path
) -> None:
    with AdminServer(tmp_path, operator_token="another") as strange:
        told = json.loads(run("rollback", "items", "--json", "--admin", f"{strange.url},{gateways[0].url}").stdout)
    assert [row["reached"] for row in told["asked"]] == [False, True]
    assert "credential" in told["asked"][0]["problem"]
