"""Build hook of hatchling: with STRANGLER_COMPILE=1 mypyc compiles the hot modules (docs/decisions/compiled.md).

Without a C compiler, or without mypy and setuptools, the wheel is built in pure Python, with a warning.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_COMPILE = """
import sys
from mypyc.build import mypycify
from setuptools import Distribution

target, *modules = sys.argv[1:]
options = ["--config-file=", "--ignore-missing-imports", "--no-error-summary", "--hide-error-context"]
extensions = mypycify([*options, *modules], opt_level="2", debug_level="0", multi_file=True, target_dir=target)
# Not setup(): that reads pyproject.toml, which old versions of setuptools refuse.
build = Distribution({"name": "strangler-gateway", "ext_modules": extensions}).get_command_obj("build_ext")
build.build_lib, build.build_temp, build.parallel = target + "/lib", target + "/tmp", 4
build.ensure_finalized()
build.run()
"""


class CompileHook(BuildHookInterface[Any]):
    """Adds the compiled modules to the wheel, beside their sources, and names the wheel after this interpreter."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What an isolated build needs to compile."""
        return ["mypy>=1.14", "setuptools"] if _wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable" or not _wanted():
            return
        if missing := _missing():
            self.app.display_warning(f"STRANGLER_COMPILE: {missing}; the wheel is in pure Python, which is slower")
            return
        lib = _compiled(Path(self.root), self.config["modules"])
        for module in lib.rglob("*.so"):
            build_data["force_include"][str(module)] = str(module.relative_to(lib))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def _wanted() -> bool:
    return os.environ.get("STRANGLER_COMPILE", "") not in ("", "0")


def _missing() -> str | None:
    """What is missing to compile, in words."""
    compiler = os.environ.get("CC", sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        return f"there is no C compiler ({compiler})"
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        return f"there is no Python.h in {sysconfig.get_path('include')} (install python3-dev)"
    missing = [name for name in ("mypyc", "setuptools") if find_spec(name) is None]
    return f"{' and '.join(missing)} cannot be imported" if missing else None


def _compiled(root: Path, modules: list[str]) -> Path:
    """The folder of compiled modules; made once for the same sources, as pip asks for each wheel twice."""
    lib = root / "build" / "compiled" / _digest(root)
    if lib.exists():
        return lib
    lib.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=lib.parent, prefix="in-work-") as folder:
        command = [sys.executable, "-c", _COMPILE, folder, *modules]
        done = subprocess.run(
            command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"mypyc ended with {done.returncode}:\n{done.stdout[-4000:]}")
        (Path(folder) / "lib").rename(lib)
    return lib


def _digest(root: Path) -> str:
    """Of all that a compiled module depends on."""
    digest = hashlib.sha256(f"{sys.version} {sysconfig.get_config_var('EXT_SUFFIX')}".encode())
    packages = (path for name in ("chassis", "strangler_gateway") for path in (root / name).rglob("*.py"))
    for source in (root / "hatch_build.py", root / "pyproject.toml", *sorted(packages)):
        digest.update(f"{source.relative_to(root)} {len(content := source.read_bytes())} ".encode() + content)
    return digest.hexdigest()[:16]
