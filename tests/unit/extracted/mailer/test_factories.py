"""What settings make of Mailer's parts, and what they say of settings that they cannot use."""

import asyncio
import ssl
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
    for name, value in {"HOST": "0.0.0.0", "PORT": "0", "USER": "monolith", "PASSWORD": "tell-nobody"}.items():
        environ.setenv(f"MAILER_INGRESS_{name}", value)
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


def set_files(environ: pytest.MonkeyPatch, certificate: Path, key: Path) -> None:
    environ.setenv("MAILER_INGRESS_CERTIFICATE_FILE", str(certificate))
    environ.setenv("MAILER_INGRESS_KEY_FILE", str(key))


async def test_the_ingress_takes_a_password_below_the_tls_of_the_settings(
    guarded: pytest.MonkeyPatch, authority: Authority, pair: Pair
) -> None:
    set_files(guarded, pair.cert, pair.key)
    trusted = ssl.create_default_context(cafile=authority.file)
    async with (made := ingress()).running():
        client = aiosmtplib.SMTP(hostname="localhost", port=made.port, start_tls=True, tls_context=trusted)
        async with client:
            assert (await client.login("monolith", "tell-nobody")).code == 235


async def test_a_password_goes_without_tls_where_the_settings_say_so(guarded: pytest.MonkeyPatch) -> None:
    assert "would travel in plain text" in refusal()
    guarded.setenv("MAILER_INGRESS_ALLOW_PLAIN", "true")
    async with (made := ingress()).running(), aiosmtplib.SMTP(hostname="127.0.0.1", port=made.port) as client:
        assert (await client.login("monolith", "tell-nobody")).code == 235


@pytest.mark.parametrize("missing", ["CERTIFICATE", "KEY"])
def test_half_of_a_certificate_is_refused(guarded: pytest.MonkeyPatch, pair: Pair, missing: str) -> None:
    set_files(guarded, pair.cert, pair.key)
    guarded.delenv(f"MAILER_INGRESS_{missing}_FILE")
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
    set_files(guarded, pair.cert, key)
    assert refusal().startswith("MAILER_INGRESS_CERTIFICATE_FILE and MAILER_INGRESS_KEY_FILE cannot be used (")
    assert str(tmp_path) not in refusal()


@pytest.mark.parametrize("host", ["smtp.example.org", "10.0.0.1", "0.0.0.0", "localhost.example.org"])
def test_a_password_to_another_machine_wants_tls(environ: pytest.MonkeyPatch, host: str) -> None:
    """To `localhost`, 127.0.0.1 and ::1 none is wanted."""
    for name, value in {"HOST": host, "USER": "polycode", "PASSWORD": "tell-nobody"}.items():
        environ.setenv(f"MAILER_SMTP_{name}", value)
    with pytest.raises(SettingsInvalid, match=r"in plain text to MAILER_SMTP_HOST; .* set MAILER_SMTP_TLS to starttls"):
        load(Settings)
    environ.setenv("MAILER_SMTP_TLS", "starttls")
    assert load(Settings).smtp_user == "polycode"
    environ.setenv("MAILER_SMTP_TLS", "none")
    for own in ("localhost", "127.0.0.1", "::1"):
        environ.setenv("MAILER_SMTP_HOST", own)
        assert load(Settings).smtp_host == own
