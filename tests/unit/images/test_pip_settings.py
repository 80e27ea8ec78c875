"""What of this machine's pip settings goes into a build, and how."""

import re
from pathlib import Path

import pytest

from images import pip_settings

LISTED = """:env:.cert='/etc/own.pem'
:env:.find-links='/opt/wheels'
global.cert='/etc/other.pem'
global.index-url='https://user:o\\'neil@packages.example/simple'
global.timeout='60'
install.user='true'
"""


@pytest.mark.parametrize(
    ("listed", "environ", "wanted"),
    [
        ("", {}, {}),
        (
            LISTED,
            {"SSL_CERT_FILE": "/etc/third.pem"},
            {"cert": "/etc/own.pem", "index-url": "https://user:o'neil@packages.example/simple", "timeout": "60"},
        ),
        ("", {"SSL_CERT_FILE": "/etc/third.pem"}, {"cert": "/etc/third.pem"}),
        ("", {"SSL_CERT_FILE": "", "CURL_CA_BUNDLE": "/etc/fourth.pem"}, {"cert": "/etc/fourth.pem"}),
    ],
)
def test_the_environment_wins_and_only_what_reaches_an_index_counts(
    listed: str, environ: dict[str, str], wanted: dict[str, str]
) -> None:
    assert pip_settings.options(listed, environ) == wanted


def test_the_mount_is_a_home_folder_that_holds_the_certificates_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = tmp_path / "own.pem"
    certificates.write_text("PEM")
    monkeypatch.setenv("PIP_CERT", str(certificates))
    (option,) = pip_settings.mounts(tmp_path)
    home = Path(option.removeprefix("--volume=").removesuffix(":/root:ro"))
    text = (home / ".config/pip/pip.conf").read_text()
    named = re.search(r"^cert = /root/(.*)$", text, re.MULTILINE)
    assert named is not None
    assert (home / named[1]).read_text() == "PEM"
    assert str(tmp_path) not in text
