"""Programs that are built here from Go source: once, cached by the hash of the source."""

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from parts.place import PartFailed, Place
from parts.process import run

OLDEST_GO = (1, 21)  # downloads the version that go.mod requires


@dataclass(frozen=True, slots=True)
class GoProgram:
    """`source`: a folder with go.mod, go.sum and what it replaces; `package`: the main one; `flags`: of the linker."""

    name: str
    source: Path
    package: str = "."
    flags: str = ""

    def build(self, place: Place) -> None:
        """Takes up to a minute where this source is not built yet, much longer for Kubernetes. Raises PartFailed."""
        program = self.path(place)
        if program.exists():
            return
        program.parent.mkdir(exist_ok=True)
        new = program.with_suffix(".new")
        flags = ("-mod=readonly", "-buildvcs=false", "-trimpath", f"-ldflags=-s -w {self.flags}".strip())
        run([go(), "build", *flags, "-o", new, self.package], cwd=self.source, environ={"CGO_ENABLED": "0"})
        new.replace(program)

    def path(self, place: Place) -> Path:
        """The program's path, which changes with its source."""
        files = (path for path in sorted(self.source.rglob("*")) if path.suffix in (".go", ".mod", ".sum"))
        source = b"".join(path.read_bytes() for path in files) + self.flags.encode()
        return place.root / "bin" / f"{self.name}-{hashlib.sha256(source).hexdigest()[:12]}"

    def is_built(self, place: Place) -> bool:
        return self.path(place).exists()

    def built(self, place: Place) -> Path:
        """Raises PartFailed unless it is built."""
        program = self.path(place)
        if not self.is_built(place):
            raise PartFailed(f"{self.name} is not built: make parts builds it, or of a Kubernetes node make cluster")
        return program


def go() -> str:
    """The path of Go's command. Raises PartFailed if it is missing or too old."""
    found = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if found is None:
        raise PartFailed(f"Go is missing; install Go {_text(OLDEST_GO)} or newer, then repeat")
    version = re.search(r"go(\d+)\.(\d+)", run([found, "version"]))
    if version is None or (int(version[1]), int(version[2])) < OLDEST_GO:
        raise PartFailed(f"{found} is too old; install Go {_text(OLDEST_GO)} or newer")
    return found


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
