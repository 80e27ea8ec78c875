"""`polycode` as an operator types it, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.system.processes import ROOT

DONE, REFUSED, USAGE, UNREACHABLE = 0, 1, 2, 3


@dataclass(frozen=True)
class Polycode:
    """`environ`: addresses and the credential."""

    environ: Mapping[str, str]

    def run(self, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        own = {"PATH": os.environ["PATH"]} | dict(self.environ) | environ
        command = [sys.executable, "-m", "extracted", *words]
        return subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=False, timeout=240)

    def shown(self, *words: str) -> str:
        """Standard output of a command that is done."""
        done = self.run(*words)
        assert done.returncode == DONE, done.stderr
        return done.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.shown(*words, "--json"))

    def refused(self, *words: str, code: int = REFUSED, **environ: str) -> str:
        """The message of a command that ends with `code`."""
        done = self.run(*words, **environ)
        assert done.returncode == code, done
        assert "Traceback" not in done.stderr
        return done.stderr
