"""A changed certificate serves new handshakes; a broken one leaves the old one serving."""

import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from strangler_gateway.server.certificate import Certificate


def write_pair(cert: Path, key: Path, name: str) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(private.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
    signed = builder.not_valid_after(now + timedelta(days=1)).sign(private, hashes.SHA256())
    cert.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


def shown(context: ssl.SSLContext) -> str:
    """The name on the certificate that a new handshake gets."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = client.wrap_bio(to_client, to_server, server_hostname="x")
    there = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (here, there):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    der = here.getpeercert(binary_form=True)
    assert der is not None
    return str(x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    write_pair(cert, key, "first")
    return cert, key


def serving(pair: tuple[Path, Path]) -> tuple[ssl.SSLContext, Certificate]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context, Certificate(context, *pair)


def is_later(path: Path) -> None:
    """Changed a second after it was, where the file system's clock has not moved on meanwhile."""
    now = path.stat().st_mtime + 1
    os.utime(path, (now, now))


def test_new_handshakes_get_the_new_certificate(pair: tuple[Path, Path]) -> None:
    context, certificate = serving(pair)
    certificate.refresh()
    assert shown(context) == "first"
    write_pair(*pair, "second")
    is_later(pair[0])
    certificate.refresh()
    assert shown(context) == "second"


def test_a_broken_or_missing_file_leaves_the_old_one_serving(pair: tuple[Path, Path]) -> None:
    context, certificate = serving(pair)
    pair[0].write_text("rubbish")
    is_later(pair[0])
    certificate.refresh()
    pair[1].unlink()
    certificate.refresh()
    assert shown(context) == "first"


def test_a_certificate_that_comes_before_its_key_leaves_the_old_pair_serving(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    context, certificate = serving(pair)
    cert, key = tmp_path / "new.pem", tmp_path / "new.key"
    write_pair(cert, key, "second")
    cert.replace(pair[0])
    is_later(pair[0])
    certificate.refresh()
    assert shown(context) == "first"
    key.replace(pair[1])
    is_later(pair[1])
    certificate.refresh()
    assert shown(context) == "second"
