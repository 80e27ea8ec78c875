"""What the runner's tests run: compilers, interpreters and bubblewrap. Only programs: there is nothing to start."""

import shutil

from parts import packages

NAME = "languages"
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
"""Where the runner looks: a program in somebody's home is no use in a sandbox."""
PACKAGES = {
    "node": "nodejs",
    "javac": "openjdk-17-jdk-headless",
    "rustc": "rustc",
    "gcc": "gcc libc6-dev",
    "python3": "python3",
    "bwrap": "bubblewrap",
}


def install() -> None:
    """Installs what is missing, all at once. Raises PartFailed."""
    missing = [package for program, package in PACKAGES.items() if shutil.which(program, path=SYSTEM_PATH) is None]
    if missing:
        packages.install(" ".join(missing), "a language of the runner")
