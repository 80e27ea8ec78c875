"""kubectl, for the node of `make cluster` or for a cluster of the user's own."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parts.place import PartFailed
from parts.process import run


@dataclass(frozen=True, slots=True)
class Kubectl:
    """`program`: for one cluster. `prefix`: the beginning of a command that reaches the ports it forwards."""

    program: Path
    prefix: Sequence[str] = ()

    def run(self, *words: str, stdin: str | None = None) -> str:
        """What it prints. Raises PartFailed with its errors."""
        return run([self.program, *words], stdin=stdin)

    def json(self, *words: str) -> Any:
        """The object or list that `kubectl WORDS --output=json` prints. Raises PartFailed."""
        return json.loads(self.run(*words, "--output=json"))

    def succeeds(self, *words: str) -> bool:
        try:
            self.run(*words)
        except PartFailed:
            return False
        return True

    def apply(self, objects: str, *more: str) -> str:
        """`objects`: YAML or JSON. Raises PartFailed."""
        return self.run("apply", "--server-side", "--force-conflicts", *more, "--filename=-", stdin=objects)


def of_the_user() -> Kubectl | None:
    """For the cluster that KUBECONFIG names; None if it is not set. Raises PartFailed without a kubectl."""
    if not os.environ.get("KUBECONFIG"):
        return None
    found = shutil.which("kubectl")
    if found is None:
        raise PartFailed("KUBECONFIG is set, but kubectl is missing; install it, or unset KUBECONFIG")
    return Kubectl(Path(found))
