"""Whether the tests on the node are due: what they depend on has changed since they last passed on this machine."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from cluster import programs
from images.engine import ROOT
from parts.place import Place

DEPENDS_ON = (
    "k8s/**/*",
    "deploy/*",
    "cluster/**/*",
    "images/stand_ins/*",
    "tests/cluster/**/*",
    "strangler_gateway/export/*",
    "tests/export/*",
    "tests/support/envoy_gateway/*",
    "Dockerfile",
    "*/Dockerfile",
    "*/*/Dockerfile",
)
OUTSIDE = ("secrets", "__pycache__")
NAME = "tested"
"""The file in the node's folder with the digest of what has passed."""


def reason_against(place: Place, root: Path = ROOT) -> str | None:
    """Why they need not, or cannot, be run now; None if they are due."""
    if os.environ.get("CLUSTER") == "1":
        return None
    if os.geteuid() != 0:
        return "a node needs root"
    if not programs.are_built(place):
        return "Kubernetes is not built here; CLUSTER=1 .ci/run builds it, 10 to 30 minutes"
    if _last(place) == digest(root):
        return "k8s/, exports and Dockerfiles are as when they last passed here; make test-cluster runs them anyway"
    return None


def passed(place: Place, root: Path = ROOT) -> None:
    """To be called when they have."""
    (place.root / NAME).write_text(digest(root))


def digest(root: Path) -> str:
    """Of all files that they depend on."""
    found = hashlib.sha256()
    for path in sorted({*_files(root)}):
        found.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for pattern in DEPENDS_ON:
        for path in root.glob(pattern):
            if path.is_file() and not {*path.relative_to(root).parts} & {*OUTSIDE}:
                yield path


def _last(place: Place) -> str | None:
    file = place.root / NAME
    return file.read_text() if file.exists() else None
