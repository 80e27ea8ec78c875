"""`make reproducible`: builds the wheel twice, in different folders, times and locales, and compares the bytes."""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from supply_chain.locks import ROOT

SOURCES = ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "chassis", "strangler_gateway")
UNLIKE = (
    {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8"},
)
"""Of the two builds: what must make no difference."""
YEAR_S = 365 * 24 * 3600


class NotBuilt(Exception):
    """pip could not build the wheel."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m supply_chain.reproducible", description=__doc__)
    parser.add_argument("--compiled", action="store_true", help="with the hot modules compiled: needs a C compiler")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        try:
            first, second = twice(Path(folder), compiled=options.compiled)
        except NotBuilt as error:
            print(error, file=sys.stderr)
            return 1
        if differing := differences(first, second):
            print(f"{first.name}: the two builds differ in {', '.join(differing)}", file=sys.stderr)
            return 1
        print(f"{first.name}: two builds, the same bytes: sha256 {hashlib.sha256(first.read_bytes()).hexdigest()}")
    return 0


def twice(folder: Path, *, compiled: bool) -> tuple[Path, Path]:
    """The wheels of two builds from copies of the sources. Raises NotBuilt."""
    builds = enumerate(zip(("one", "another-folder/deeper"), UNLIKE, strict=True))
    first, second = (
        built(copied(folder / name, number * YEAR_S), environ, compiled=compiled) for number, (name, environ) in builds
    )
    return first, second


def copied(target: Path, older_s: int) -> Path:
    """The sources in this folder, made in another order where they are older, with other times and permissions."""
    target.mkdir(parents=True)
    for name in sorted(SOURCES, reverse=bool(older_s)):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        else:
            shutil.copy2(source, target / name)
    for path in target.rglob("*"):
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - older_s))
        path.chmod(0o755 if path.is_dir() else 0o600 if older_s else 0o644)
    return target


def built(source: Path, environ: dict[str, str], *, compiled: bool) -> Path:
    """The wheel. Raises NotBuilt, also where the compiler is missing."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "wheel",
        "--no-deps",
    ]
    command += ["--no-build-isolation", "--wheel-dir", str(source / "dist"), str(source)]
    given = os.environ | environ | {"STRANGLER_COMPILE": "1" if compiled else ""}
    done = subprocess.run(command, cwd=source, env=given, capture_output=True, text=True, check=False)  # noqa: S603  # our own command
    wheels = list((source / "dist").glob("*.whl"))
    if done.returncode or not wheels:
        raise NotBuilt(f"pip could not build the wheel:\n{(done.stdout + done.stderr).strip()[-2000:]}")
    if compiled and wheels[0].name.endswith("-none-any.whl"):
        raise NotBuilt(
            "the wheel is in pure Python: there is no C compiler, or no Python.h; install gcc and python3-dev"
        )
    return wheels[0]


def differences(first: Path, second: Path) -> list[str]:
    """Names of the members that differ, or of the archive's own matters; empty for the same bytes."""
    if first.read_bytes() == second.read_bytes():
        return []
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as other:
        ours, theirs = _members(one.infolist()), _members(other.infolist())
        found = sorted(
            {name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}
            | {name for name in {*ours} & {*theirs} if one.read(name) != other.read(name)}
        )
    return found or [f"{first.name} (order or names)"]


def _members(infos: Iterable[zipfile.ZipInfo]) -> dict[str, tuple[object, ...]]:
    return {info.filename: (info.date_time, info.external_attr, info.compress_type) for info in infos}


if __name__ == "__main__":
    sys.exit(main())
