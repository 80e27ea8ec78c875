"""What settings make of Mailer's parts, and what they say of settings that they cannot use."""

import asyncio
from pathlib import Path

import pytest

from chassis.settings import load
from extracted.mailer.domain import Outgoing
from extracted.mailer.main import Own
from extracted.mailer.settings import Settings

REQUIRED = {"SMTP_HOST": "127.0.0.1", "SMTP_TLS": "none", "PUBLIC_WWW_URL": "https://polycode.example"}


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """What is required; set further MAILER_… by it."""
    urls = {"DATABASE_URL": f"sqlite:///{tmp_path / 'own'}", "BROKER_URL": f"sqlite:///{tmp_path / 'broker'}"}
    for name, value in (REQUIRED | urls).items():
        monkeypatch.setenv(f"MAILER_{name}", value)
    return monkeypatch


async def first_line(settings: Settings) -> str:
    """What the provider hears first."""
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 provider\r\n")
        heard.append(await reader.readline())
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        aimed = settings.model_copy(update={"smtp_port": server.sockets[0].getsockname()[1]})
        transport = Own(aimed).transport
        await transport.send(Outgoing("1", "a@polycode.test", "b@mail.test", b"Subject: x\r\n\r\n"))
        await transport.aclose()
    return heard[0].decode()


@pytest.mark.parametrize(
    ("from_", "said"),
    [("noreply@Mail.PolyCode.test", "mail.polycode.test"), ("noreply@polycodé.test", "xn--polycod-hya.test")],
)
async def test_ehlo_names_the_domain_that_mails_are_from(environ: pytest.MonkeyPatch, from_: str, said: str) -> None:
    environ.setenv("MAILER_FROM", from_)
    assert await first_line(load(Settings)) == f"EHLO {said}\r\n"
