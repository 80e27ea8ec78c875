"""The recorded conversation with the real monolith, played to a new system that the migrated routes.yaml configures."""

import asyncio
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from examples.demo.environment import Stores
from examples.demo.processes import Launcher, first
from examples.demo.story import StoryFailed
from examples.demo.system import start
from examples.migration.mails import Mails
from parts.languages import SYSTEM_PATH
from tests.recordings.conversation import DIFFERS, OF_A_CONNECTION, PRODUCTION, RUNNER, STEPS, log_in, play
from tests.recordings.mail_sink import MailSink, ReceivedMail
from tests.recordings.replay import Replay

ARRIVES_WITHIN_S = 20.0
POLL_S = 0.05


class Mailbox(MailSink):
    """The mails in a mailbox's folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._arrived_mails = Mails(folder)

    def to(self, recipient: str, count: int) -> list[ReceivedMail]:
        """Waits for the first `count` mails to this recipient."""
        deadline = time.monotonic() + ARRIVES_WITHIN_S
        while len(found := self._arrived_mails.to(recipient)) < count:
            if time.monotonic() > deadline:
                raise StoryFailed(f"{len(found)} mails to {recipient}, wanted {count}")
            time.sleep(POLL_S)
        return [ReceivedMail("", (recipient,), mail) for mail in found[:count]]


async def replay(folder: Path, stores: Stores, routes: str) -> None:
    """Raises StoryFailed where an answer is not the recorded one. The recorded submissions are written for Node."""
    if shutil.which("node", path=SYSTEM_PATH) is None:
        print(f"  not played: Node is missing in {SYSTEM_PATH}; `python -m parts install languages` installs it")
        return
    async with Launcher() as launcher:
        system = await start(
            launcher,
            folder,
            stores,
            seed="bare",
            routes=routes,
            monolith_environ=PRODUCTION | {"RUNNER_TIMEOUT": RUNNER["RUNNER_TIMEOUT"]},
            with_mail=True,
            with_runner=True,
        )
        await first(asyncio.to_thread(_play, system.url, Mailbox(system.mails)), launcher.watch())
    print(f"  {len(STEPS)} steps: each answer as the monolith's own, but for what a gateway must change", flush=True)


def _play(url: str, mailbox: Mailbox) -> None:
    conversation = Replay(url, unheard=OF_A_CONNECTION)
    try:
        log_in(conversation)
        found = play(conversation, mailbox)
    finally:
        conversation.close()
    differing = {name: how for name, how in found.items() if how != DIFFERS.get(name, [])}
    if differing:
        raise StoryFailed(f"{len(differing)} of {len(found)} answers differ: {list(_shown(differing))}")


def _shown(differing: dict[str, list[str]]) -> Iterable[str]:
    for name in list(differing)[:5]:
        yield f"{name}: {'; '.join(differing[name])[:300]}"
