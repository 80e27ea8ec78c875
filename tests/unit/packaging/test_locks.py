"""The locks hold what pyproject.toml asks for, by hash, and name no registry."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = {
    "requirements.lock": ("services", "shop", "adapter", "amqp", "examples", "dev"),
    "deploy/gateway.lock": ("amqp",),
    "deploy/services.lock": ("services", "shop", "adapter", "amqp"),
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


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_a_hash_for_every_package_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    packages = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert packages
    assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []
    assert "://" not in text
    assert "index" not in text


@pytest.mark.parametrize("lock", ["deploy/gateway.lock", "deploy/services.lock"])
def test_an_image_gets_the_versions_that_are_tested(lock: str) -> None:
    tested = locked("requirements.lock")
    assert {name: versions for name, versions in locked(lock).items() if tested.get(name) != versions} == {}
