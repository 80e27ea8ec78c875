"""Runs inside an image, with its own Python and nothing else: prints what the image holds, as JSON.

Distributions of /opt/venv, Debian packages, the interpreter. A package's hash is that of the list of files and their
digests that its package manager keeps: RECORD of pip, the file *.md5sums of dpkg.
"""

import hashlib
import importlib.metadata
import json
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

DPKG = Path("/var/lib/dpkg/info")
FIELDS = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n"


def distributions() -> list[dict[str, Any]]:
    """Those of the virtual environment."""
    found = []
    for one in importlib.metadata.distributions(
        path=[str(path) for path in Path("/opt/venv").glob("lib/*/site-packages")]
    ):
        metadata: Any = one.metadata
        found.append(
            {
                "name": metadata["Name"],
                "version": one.version,
                "expression": metadata.get("License-Expression"),
                "field": metadata.get("License"),
                "classifiers": metadata.get_all("Classifier") or [],
                "sha256": sha256((one.read_text("RECORD") or "").encode()),
            }
        )
    return found


def debian() -> list[dict[str, Any]]:
    """What dpkg has installed."""
    command = ["dpkg-query", "--show", f"--showformat={FIELDS}"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # our own command
    found = []
    for line in lines.stdout.splitlines():
        name, version, architecture, source, source_version = line.split("\t")
        sums = [path for path in (DPKG / f"{name}.md5sums", DPKG / f"{name}:{architecture}.md5sums") if path.exists()]
        found.append(
            {
                "name": name,
                "version": version,
                "architecture": architecture,
                "source": source,
                "source_version": source_version,
                "licences": copyright_names(name),
                "sha256": sha256(sums[0].read_bytes()) if sums else None,
            }
        )
    return found


def copyright_names(package: str) -> list[str]:
    """The short names in its copyright file (DEP-5), else the licences of Debian's common folder that it names."""
    path = Path("/usr/share/doc") / package / "copyright"
    text = path.read_text(errors="replace") if path.exists() else ""
    names = re.findall(r"^License:[ \t]*(\S.*)$", text, re.MULTILINE)
    if not names:
        names = re.findall(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9+])", text)
    return sorted(set(names))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main() -> None:
    system = platform.freedesktop_os_release()
    print(
        json.dumps(
            {
                "system": {"id": system["ID"], "version": system.get("VERSION_ID", ""), "name": system["PRETTY_NAME"]},
                "python": platform.python_version(),
                "distributions": distributions(),
                "debian": debian(),
            }
        )
    )


if __name__ == "__main__":
    main()
