"""How pip reaches its index on this machine, as a mount of a build: in no layer of an image, in no file kept here."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

OPTIONS = ("cert", "extra-index-url", "index-url", "proxy", "retries", "timeout", "trusted-host")
CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
HOME = "/root"
"""Every image has this folder, so that the mount leaves nothing behind, not even an empty file."""


def mounts(folder: Path) -> tuple[str, ...]:
    """The options of a build, whose home folder has these settings and the certificates that they name."""
    found = options(_pip_config_list(), os.environ)
    settings = folder / "home" / ".config" / "pip"
    settings.mkdir(parents=True, exist_ok=True)
    if "cert" in found:
        shutil.copyfile(found["cert"], settings / "certificates.pem")
        found["cert"] = f"{HOME}/.config/pip/certificates.pem"
    (settings / "pip.conf").write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in found.items()))
    return (f"--volume={folder / 'home'}:{HOME}:ro",)


def options(listed: str, environ: Mapping[str, str]) -> dict[str, str]:
    """From what `pip config list` prints, where the environment wins over files, and from the usual variables."""
    lines = sorted(_parsed(listed), key=lambda line: line[0] == ":env:")
    found = {name: value for section, name, value in lines if name in OPTIONS and section in (":env:", "global")}
    certificates = next((environ[name] for name in CERTIFICATES if environ.get(name)), None)
    return ({"cert": certificates} if certificates else {}) | found


def _parsed(listed: str) -> Iterator[tuple[str, str, str]]:
    """(section, option, value) of each line `section.option='value'`."""
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.rpartition(".")
        yield section, name, str(ast.literal_eval(value))


def _pip_config_list() -> str:
    command = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # our own command
    return done.stdout
