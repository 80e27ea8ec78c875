"""Removes one safety rule of a purchase at a time in a copy of the tree, and checks that its test fails:
`python -m tests.faults.mutations` (needs make parts). Exit code 1 if a mutation survives or a patch does not fit.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.faults.mutation_table import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 300
_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.pyc", "*.egg-info", "node_modules")
_BROKEN = re.compile(r"^ERROR|\d+ errors?\b", re.MULTILINE)


class PatchInvalid(Exception):
    """The text to replace does not occur exactly once."""


def patched(mutation: Mutation, root: Path) -> str:
    """The file's new text. Raises PatchInvalid."""
    text = (root / mutation.file).read_text(encoding="utf-8")
    if (found := text.count(mutation.old)) != 1:
        raise PatchInvalid(f"{mutation.name}: its text occurs {found} times in {mutation.file}; it must occur once")
    return text.replace(mutation.old, mutation.new)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints one line per mutation."""
    options = _parser().parse_args(arguments)
    chosen = [one for one in MUTATIONS if not options.names or any(name in one.name for name in options.names)]
    try:
        for mutation in chosen:
            patched(mutation, ROOT)
    except PatchInvalid as error:
        print(error, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        whole = Path(folder) / "whole"
        shutil.copytree(ROOT, whole, ignore=_LEFT_OUT)
        ends = list(pool.map(lambda mutation: _tried(mutation, whole, Path(folder)), chosen))
    survivors = sum(not is_dead for is_dead in ends)
    print(f"{len(ends)} mutations, {len(ends) - survivors} noticed, {survivors} not")
    return 1 if survivors else 0


def _tried(mutation: Mutation, whole: Path, folder: Path) -> bool:
    """True if the test passes before the mutation and fails after it."""
    copy = folder / mutation.name.replace(" ", "-").replace(":", "")
    shutil.copytree(whole, copy)
    began = time.monotonic()
    before = _tested(mutation, copy)
    (copy / mutation.file).write_text(patched(mutation, copy), encoding="utf-8")
    after = _tested(mutation, copy) if before.returncode == 0 else before
    end = _end(before.returncode, after)
    print(f"{mutation.name:45} {end:10} {time.monotonic() - began:4.0f} s  {mutation.test.rpartition('::')[2]}")
    if end != "noticed":
        print(after.stdout[-3000:], file=sys.stderr)
    sys.stdout.flush()
    shutil.rmtree(copy)
    return end == "noticed"


def _end(before: int, after: "subprocess.CompletedProcess[str]") -> str:
    """A test that does not start proves nothing."""
    if before != 0:
        return "red before"
    if after.returncode == 0:
        return "SURVIVED"
    return "noticed" if after.returncode == 1 and not _BROKEN.search(after.stdout) else "broken"


def _tested(mutation: Mutation, root: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-x", mutation.test]
    return subprocess.run(
        command,
        cwd=root,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": ""},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.mutations", description=__doc__)
    parser.add_argument("names", nargs="*", help="run only mutations whose names contain one of these texts")
    parser.add_argument("--jobs", type=int, default=2, help="concurrent mutations (default %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
