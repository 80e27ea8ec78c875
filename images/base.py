"""The image that the Dockerfiles start from: pulled, or built from Debian's packages where no registry answers.

What is built has the name of what it stands for, so the Dockerfiles stay as they are: Debian's base system with a
CPython, copied from this machine if it has the version, else Debian's own.
"""

import os
import platform
import shutil
import tempfile
from pathlib import Path

from images.engine import Engine, EngineFailed, run
from parts import packages
from parts.place import PartFailed

VERSION = "3.12"
NAME = f"python:{VERSION}-slim"
SYSTEM = "localhost/debian-with-python"
NOT_COPIED = ("test", "site-packages", "__pycache__", "*.a")
COPIED_PYTHON = f"""FROM {SYSTEM}
COPY . /usr/local/
RUN ldconfig && ln -sf python3 /usr/local/bin/python && python -m ensurepip --default-pip \\
    && python -c 'import bz2, ctypes, lzma, readline, sqlite3, ssl, uuid, zlib'
"""
DEBIANS_PYTHON = f"""FROM {SYSTEM}
RUN python3 -m venv /usr/local
"""


def provide(engine: Engine) -> None:
    """Pulls or builds it if it is missing. Raises EngineFailed."""
    if engine.succeeds("image", "inspect", NAME) or engine.succeeds("pull", "--quiet", NAME):
        return
    print(f"{NAME}: no registry answers; it is built from Debian's packages", flush=True)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # /tmp may be in memory
        archive, context = Path(folder) / "system.tar", Path(folder) / "python"
        context.mkdir()
        prefix = _installed_python()
        if prefix is None:
            _import_system(engine, archive, "libpython3-dev")  # the headers, which a CPython of its own brings
        else:
            _import_system(engine, archive)
            _copy(prefix, context)
        dockerfile = COPIED_PYTHON if prefix else DEBIANS_PYTHON
        options = (*engine.build_options, "--quiet", "--file=-", f"--tag=localhost/{NAME}")
        engine.run("build", *options, str(context), stdin=dockerfile)


def is_built_here(engine: Engine) -> bool:
    """Whether it was built because no registry answered."""
    return engine.succeeds("image", "inspect", SYSTEM)


def _import_system(engine: Engine, archive: Path, *more: str) -> None:
    """python3-venv brings every library that a CPython needs; `more`: other packages."""
    if os.geteuid() != 0:
        raise EngineFailed(f"{NAME} cannot be pulled, and only root can build a base system; check the registry")
    if shutil.which("mmdebstrap") is None:
        try:
            packages.install("mmdebstrap", "what builds a base system")
        except PartFailed as error:
            raise EngineFailed(str(error)) from error
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "stable")
    included = ",".join(("ca-certificates", "netbase", "python3-venv", *more))
    run(["mmdebstrap", "--quiet", "--variant=minbase", f"--include={included}", suite, str(archive)], {})
    path = "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
    engine.run("import", "--quiet", f"--change={path}", '--change=CMD ["python3"]', str(archive), SYSTEM)


def _installed_python() -> Path | None:
    """The folder of a CPython that can be copied: not Debian's, which is spread over /usr."""
    on_path = shutil.which(f"python{VERSION}")
    of_pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv").glob(f"versions/{VERSION}.*/bin/python3")
    for program in (*([on_path] if on_path else []), *map(str, of_pyenv)):
        try:
            prefix = Path(run([program, "-c", "import sys; print(sys.base_prefix)"], {}).strip())
        except EngineFailed:
            continue  # a shim of a version that is not chosen here
        if prefix != Path("/usr") and (prefix / f"lib/python{VERSION}").is_dir():
            return prefix
    return None


def _copy(prefix: Path, target: Path) -> None:
    for folder in ("include", "lib"):
        ignored = shutil.ignore_patterns(*NOT_COPIED)
        shutil.copytree(prefix / folder, target / folder, symlinks=True, ignore=ignored)
    (target / "bin").mkdir()
    for program in ("python3", f"python{VERSION}"):
        shutil.copy2(prefix / "bin" / program, target / "bin", follow_symlinks=False)
