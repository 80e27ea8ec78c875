"""The modules that run are those that were installed: compiled ones from a compiled wheel, else sources."""

import subprocess
import sys
import tomllib
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import distribution
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
MODULES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"]


def is_compiled_wheel() -> bool:
    return "Root-Is-Purelib: false" in (distribution("strangler-gateway").read_text("WHEEL") or "")


_INHERITING = """
import importlib, pkgutil, sys
for root in ("strangler_gateway", "chassis"):
    for module in pkgutil.walk_packages(importlib.import_module(root).__path__, root + "."):
        importlib.import_module(module.name)
for name, module in sorted(sys.modules.items()):
    if name.startswith(("strangler_gateway.", "chassis.")) and (module.__file__ or "").endswith(".py"):
        for made in vars(module).values():
            if isinstance(made, type) and made.__module__ == name:
                if any("__mypyc_attrs__" in vars(base) for base in made.__mro__[1:]):
                    print(name, made.__name__)
"""


def loaded() -> dict[str, str]:
    """The file of each hot module, in a process that was started like a gateway."""
    names = [module.removesuffix(".py").replace("/", ".") for module in MODULES]
    lines = [f"import {', '.join(names)}", "import sys", *(f"print(sys.modules[{name!r}].__file__)" for name in names)]
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=240, check=True
    )
    return dict(zip(names, done.stdout.splitlines(), strict=True))


def test_every_hot_module_is_loaded_as_it_was_built() -> None:
    suffix = EXTENSION_SUFFIXES[0] if is_compiled_wheel() else ".py"
    assert {name: file for name, file in loaded().items() if not file.endswith(suffix)} == {}


def test_no_interpreted_class_inherits_a_compiled_one() -> None:
    """Making an object of such a class raises TypeError: the module that has it must be compiled, too."""
    done = subprocess.run([sys.executable, "-c", _INHERITING], capture_output=True, text=True, timeout=240, check=True)
    assert done.stdout.splitlines() == []
