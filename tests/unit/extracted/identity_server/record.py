"""`make tapes`: records every conversation with Keycloak anew, on the one of `make parts`."""

import asyncio
from pathlib import Path

from parts.fresh import IdentityServer, keycloak_realm
from tests.support.keycloak.identity import CLIENTS, AppliedRealm, apply_to, fresh_secrets
from tests.support.keycloak.tapes import recorded
from tests.unit.extracted.identity_server.conversations import CONVERSATIONS, Conversation, Stage

TAPES = Path(__file__).with_name("tapes")
ON_TAPE = Stage(
    IdentityServer("http://keycloak.test", "realm-on-tape", "admin", "password-of-the-administrator"),
    {name: f"secret-of-{name}" for name in CLIENTS},
)


async def record(conversation: Conversation, tape: Path) -> None:
    """In a realm of its own, whose name is not on the tape."""
    stage = Stage(keycloak_realm(), fresh_secrets())
    if conversation.in_realm:
        await apply_to(AppliedRealm(stage.server, stage.secrets))
    server, on_tape = stage.server, ON_TAPE.server
    names = {server.url: on_tape.url, server.realm: on_tape.realm, server.password: on_tape.password}
    secrets = {secret: ON_TAPE.secrets[name] for name, secret in stage.secrets.items()}
    with recorded(tape, names | secrets):
        await conversation.talk(stage)


if __name__ == "__main__":
    for name, conversation in CONVERSATIONS.items():
        asyncio.run(record(conversation, TAPES / f"{name}.yaml"))
        print(f"{name}: recorded")
