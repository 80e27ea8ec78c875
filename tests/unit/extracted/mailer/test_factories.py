"""What settings make of Mailer's parts, and what they say of settings that they cannot use."""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import aiosmtplib
import pytest
from cryptography.hazmat.primitives import serialization

from chassis.settings import SettingsInvalid, load
from extracted.mailer import factories
from extracted.mailer.domain import OutgoingMessage
from extracted.mailer.main import MailerProcess
from extracted.mailer.settings import Settings
from extracted.mailer.smtp_in.server import IngressServer
from tests.http.certificates import Authority, Pair


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """What is required; set further MAILER_… by it."""
    urls = {"DATABASE_URL": f"sqlite:///{tmp_path / 'own'}", "BROKER_URL": f"sqlite:///{tmp_path / 'broker'}"}
    required = {"SMTP_HOST": "127.0.0.1", "SMTP_TLS": "none", "PUBLIC_WWW_URL": "https://polycode.example"}
    set_all(monkeypatch, "", required | urls)
    return monkeypatch


def set_all(environ: pytest.MonkeyPatch, prefix: str, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        environ.setenv(f"MAILER_{prefix}{name}", str(value))


async def first_line(settings: Settings) -> str:
    """What the provider hears first."""
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 provider\r\n")
        heard.append(await reader.readline())
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        aimed = settings.model_copy(update={"smtp_port": server.sockets[0].getsockname()[1]})
        transport = MailerProcess(aimed).transport
        await transport.send(OutgoingMessage("1", "a@polycode.test", "b@mail.test", b"Subject: x\r\n\r\n"))
        await transport.aclose()
    return heard[0].decode()


@pytest.mark.parametrize(
    ("from_", "said"),
    [("noreply@Mail.PolyCode.test", "mail.polycode.test"), ("noreply@polycodé.test", "xn--polycod-hya.test")],
)
async def test_ehlo_names_the_domain_that_mails_are_from(environ: pytest.MonkeyPatch, from_: str, said: str) -> None:
    environ.setenv("MAILER_FROM", from_)
    assert await first_line(load(Settings)) == f"EHLO {said}\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "mail")


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("localhost")


@pytest.fixture
def guarded(environ: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An ingress that asks others than this machine for a password."""
    set_all(environ, "INGRESS_", {"HOST": "0.0.0.0", "PORT": "0", "USER": "monolith", "PASSWORD": "tell-nobody"})
    return environ


def ingress() -> IngressServer:
    """As the settings want it."""
    settings = load(Settings)
    made = factories.ingress(settings, MailerProcess(settings).intake, lambda: datetime.now(UTC))
    assert made is not None
    return made


def refusal() -> str:
    """What is said of the settings."""
    with pytest.raises(SettingsInvalid) as caught:
        ingress()
    return str(caught.value)


@pytest.mark.parametrize("is_encrypted", [True, False])
async def test_the_ingress_takes_a_password_below_the_tls_of_the_settings_or_where_they_say_so_without(
    guarded: pytest.MonkeyPatch, authority: Authority, pair: Pair, is_encrypted: bool
) -> None:
    assert "would travel in plain text" in refusal()
    files = {"CERTIFICATE_FILE": pair.cert, "KEY_FILE": pair.key}
    set_all(guarded, "INGRESS_", files if is_encrypted else {"ALLOW_PLAIN": "true"})
    trusted = ssl.create_default_context(cafile=authority.file)
    async with (made := ingress()).running():
        client = aiosmtplib.SMTP(hostname="localhost", port=made.port, start_tls=is_encrypted, tls_context=trusted)
        async with client:
            assert (await client.login("monolith", "tell-nobody")).code == 235


@pytest.mark.parametrize("missing", ["CERTIFICATE", "KEY"])
def test_half_of_a_certificate_is_refused(guarded: pytest.MonkeyPatch, pair: Pair, missing: str) -> None:
    files = {"CERTIFICATE_FILE": pair.cert, "KEY_FILE": pair.key}
    set_all(guarded, "INGRESS_", {name: file for name, file in files.items() if missing not in name})
    assert "MAILER_INGRESS_CERTIFICATE_FILE and MAILER_INGRESS_KEY_FILE: wanted both or none" in refusal()


def with_password(pair: Pair) -> bytes:
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)


@pytest.mark.parametrize("what", ["absent", "a folder", "no PEM", "of another", "with a password"])
def test_a_key_that_cannot_be_used_is_told_in_a_sentence(
    guarded: pytest.MonkeyPatch, authority: Authority, pair: Pair, tmp_path: Path, what: str
) -> None:
    key = tmp_path if what == "a folder" else tmp_path / "key"
    contents = {"no PEM": b"\0nonsense", "of another": authority.issue("other").key.read_bytes()}
    if what in contents or what == "with a password":
        key.write_bytes(contents.get(what) or with_password(pair))
    set_all(guarded, "INGRESS_", {"CERTIFICATE_FILE": pair.cert, "KEY_FILE": key})
    assert refusal().startswith("MAILER_INGRESS_CERTIFICATE_FILE and MAILER_INGRESS_KEY_FILE cannot be used (")
    assert str(tmp_path) not in refusal()


@pytest.mark.parametrize("host", ["smtp.example.org", "10.0.0.1", "0.0.0.0", "localhost.example.org"])
def test_a_password_to_another_machine_wants_tls(environ: pytest.MonkeyPatch, host: str) -> None:
    """To `localhost`, 127.0.0.1 and ::1 none is wanted."""
    set_all(environ, "SMTP_", {"HOST": host, "USER": "polycode", "PASSWORD": "tell-nobody"})
    with pytest.raises(SettingsInvalid, match=r"in plain text to MAILER_SMTP_HOST; .* set MAILER_SMTP_TLS to starttls"):
        load(Settings)
    for tls, own in (("starttls", host), ("none", "localhost"), ("none", "127.0.0.1"), ("none", "::1")):
        set_all(environ, "SMTP_", {"TLS": tls, "HOST": own})
        assert (load(Settings).smtp_host, load(Settings).smtp_user) == (own, "polycode")
