"""Whether `make lock` would change a lock: by the metadata of what is installed, without a registry.

A resolver keeps the versions of a lock that still satisfies what is asked for. So it must have all that is asked for,
directly or by another package, on every platform and Python that we support; nothing else; and hashes.
"""

import importlib.metadata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import product

from packaging.markers import Marker
from packaging.requirements import Requirement

from supply_chain.locks import DEVELOPMENT, Lock, Pin, normalized

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = ({"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
             {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
             {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"})  # fmt: skip
IMPLEMENTATIONS = ("CPython", "PyPy")
ENVIRONMENTS = tuple(
    platform
    | {"python_version": python, "python_full_version": f"{python}.0"}
    | {"platform_python_implementation": implementation, "implementation_name": implementation.lower()}
    for python, platform, implementation in product(PYTHONS, PLATFORMS, IMPLEMENTATIONS)
)


def drift(lock: Lock) -> list[str]:
    """A sentence for each difference; empty if `make lock` would leave the file as it is."""
    pins = lock.pins()
    by_name: dict[str, list[Pin]] = {}
    for pin in pins:
        by_name.setdefault(pin.name, []).append(pin)
    walk = _Walk(by_name)
    walk.ask("pyproject.toml", lock.asked())
    orphans = [f"{name} is locked and nothing asks for it" for name in sorted(by_name.keys() - walk.reached)]
    bare = [f"{pin.name} has no hash" for pin in pins if not pin.hashes]
    found = [*walk.problems, *orphans, *bare, *_addresses(lock), *_untested(lock, pins)]
    return [f"{lock.path}: {one}; run make lock" for one in found]


class _Walk:
    """From what is asked for to what that asks for."""

    def __init__(self, pins: dict[str, list[Pin]]) -> None:
        self._pins = pins
        self._seen: set[tuple[str, str]] = set()
        self.reached: set[str] = set()
        self.problems: list[str] = []

    def ask(self, who: str, requirements: Iterable[Requirement], extra: str = "") -> None:
        for one in requirements:
            if _may_hold(one.marker, extra):
                self._one(who, one)

    def _one(self, who: str, wanted: Requirement) -> None:
        name = normalized(wanted.name)
        pins = self._pins.get(name, [])
        fitting = [pin for pin in pins if wanted.specifier.contains(pin.version, prereleases=True)]
        if not fitting:
            has = ", ".join(pin.version for pin in pins) or "none"
            self.problems.append(f"{who} asks for {wanted}, and the lock has {has}")
        self.reached.add(name)
        for pin, extra in product(fitting, ("", *sorted(wanted.extras))):
            if (name, extra) not in self._seen:
                self._seen.add((name, extra))
                self.ask(f"{name}{f'[{extra}]' if extra else ''}", _asked_by(pin), extra)


def _asked_by(pin: Pin) -> Sequence[Requirement]:
    """Empty for what is not installed here: packages of other platforms."""
    try:
        found = importlib.metadata.distribution(pin.name)
    except importlib.metadata.PackageNotFoundError:
        return ()
    return [Requirement(line) for line in found.requires or ()] if found.version == pin.version else ()


def not_installed(lock: Lock) -> list[str]:
    """Pins for this machine that are installed in another version or not at all: their metadata cannot be read."""
    here = [pin for pin in lock.pins() if pin.marker is None or pin.marker.evaluate()]
    return [pin.name for pin in here if _installed_version(pin.name) != pin.version]


def _installed_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _may_hold(marker: Marker | None, extra: str) -> bool:
    """Whether it holds on some machine that we support."""
    if marker is None:
        return not extra
    holds = _holds(str(marker), extra)
    return holds and not (extra and _holds(str(marker), ""))


@cache
def _holds(marker: str, extra: str) -> bool:
    return any(Marker(marker).evaluate({**environment, "extra": extra}) for environment in ENVIRONMENTS)


def _addresses(lock: Lock) -> Iterator[str]:
    if "://" in lock.text or "--index" in lock.text:
        yield "it names an address"


def _untested(lock: Lock, pins: Sequence[Pin]) -> Iterator[str]:
    """Images get the versions that the tests run with."""
    tested = {(pin.name, pin.version) for pin in DEVELOPMENT.pins()}
    for pin in pins:
        if lock != DEVELOPMENT and (pin.name, pin.version) not in tested:
            yield f"{pin.name} {pin.version} is not what {DEVELOPMENT.path} has"
