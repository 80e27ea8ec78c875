"""The module that speaks to Keycloak, on tapes of a real one; connected, whether the real one still says the same."""

import socket
from pathlib import Path

import pytest

from extracted.identity_server.domain import Administrator, IdentityServerAway
from extracted.identity_server.keycloak import realm_administration
from tests.support.keycloak.tapes import played, shape
from tests.unit.extracted.identity_server.conversations import CONVERSATIONS
from tests.unit.extracted.identity_server.record import ON_TAPE, TAPES, record


@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_on_tape(name: str) -> None:
    with played(TAPES / f"{name}.yaml"):
        await CONVERSATIONS[name].talk(ON_TAPE)


@pytest.mark.connected
@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_the_tape_is_what_keycloak_says_today(name: str, tmp_path: Path) -> None:
    await record(CONVERSATIONS[name], tmp_path / "new.yaml")
    assert shape(tmp_path / "new.yaml") == shape(TAPES / f"{name}.yaml"), "record the tapes again: make tapes"


def test_every_tape_has_a_conversation() -> None:
    assert {tape.stem for tape in TAPES.glob("*.yaml")} == CONVERSATIONS.keys()


async def test_a_server_that_is_away_is_told_from_one_that_refuses() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        async with realm_administration(url, "realm", Administrator("admin", "secret")) as admin:
            with pytest.raises(IdentityServerAway, match="does not accept connections"):
                await admin.realm()
