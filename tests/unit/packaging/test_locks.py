"""The locks hold what pyproject.toml asks for, by hash, and name no registry."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
LOCKS = {
    "requirements.lock": ("database", "services", "shop", "mailer", "adapter", "amqp", "examples", "dev"),
    "deploy/gateway.lock": ("amqp",),
    "deploy/plugin.lock": ("amqp", "database"),
    "deploy/services.lock": ("database", "services", "shop", "mailer", "adapter", "amqp"),
}


def locked(lock: str) -> dict[str, set[str]]:
    """Versions by name; a marker may choose between two."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE):
        versions.setdefault(canonicalize_name(name), set()).add(version)
    return versions


def asked(extras: tuple[str, ...]) -> list[Requirement]:
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    return [requirement for requirement in map(Requirement, lines) if requirement.name != PROJECT["name"]]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_satisfies_what_is_asked_for(lock: str) -> None:
    versions = locked(lock)
    missing = [
        str(requirement)
        for requirement in asked(LOCKS[lock])
        if not any(map(requirement.specifier.contains, versions.get(canonicalize_name(requirement.name), ())))
    ]
    assert missing == []


def test_the_lock_of_the_build_has_what_builds_the_wheel() -> None:
    wanted = {Requirement(line).name for line in PYPROJECT["dependency-groups"]["build"]}
    assert {*PYPROJECT["build-system"]["requires"]} <= wanted <= locked("deploy/build.lock").keys()


@pytest.mark.parametrize("lock", [*LOCKS, "deploy/build.lock"])
def test_a_lock_has_a_hash_for_every_package_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    packages = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert packages
    assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []
    assert "://" not in text
    assert "index" not in text


@pytest.mark.parametrize("lock", [lock for lock in (*LOCKS, "deploy/build.lock") if lock.startswith("deploy/")])
def test_an_image_gets_the_versions_that_are_tested(lock: str) -> None:
    tested = locked("requirements.lock")
    assert {name: versions for name, versions in locked(lock).items() if tested.get(name) != versions} == {}
