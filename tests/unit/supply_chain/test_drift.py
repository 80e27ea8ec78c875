"""The locks hold what pyproject.toml asks for, by hash, and name no registry; each way to differ is found."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from supply_chain import locks
from supply_chain.drift import drift
from supply_chain.locks import DEVELOPMENT, LOCKS, ROOT, Lock

GATEWAY = next(lock for lock in LOCKS if lock.path == "deploy/gateway.lock")


def blocks(text: str) -> list[str]:
    return re.findall(r"^[A-Za-z0-9][^\n]*\n(?:\s+[^\n]+\n)*", text, re.MULTILINE)


def without(name: str) -> Callable[[str], str]:
    return lambda text: "".join(block for block in blocks(text) if not block.startswith(f"{name}=="))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.path)
def test_make_lock_would_change_nothing(lock: Lock) -> None:
    assert drift(lock) == []


def test_the_table_of_locks_says_what_make_lock_does() -> None:
    recipe = (ROOT / "Makefile").read_text().partition("\nlock: ")[2]
    written = {
        path: (tuple(re.findall(r"--extra (\S+)", line)), *re.findall(r"--group (\S+)", line))
        for line in recipe.splitlines()
        for path in re.findall(r"--output-file (\S+)", line)
    }
    assert written == {lock.path: (lock.extras, *([lock.group] if lock.group else [])) for lock in LOCKS}


def test_every_hash_of_a_lock_is_read() -> None:
    assert sum(len(pin.hashes) for pin in GATEWAY.pins()) == GATEWAY.text.count("--hash=")
    assert len(GATEWAY.pins()) == len(re.findall(r"(?m)^\S+==", GATEWAY.text))


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (without("httptools"), ["pyproject.toml asks for httptools>=0.7, and the lock has none"]),
        (without("h11"), ["asks for h11", "the lock has none"]),  # of another package
        (without("colorama"), ["asks for colorama", "the lock has none"]),  # of another platform
        (lambda text: re.sub(r"(?m)^joserfc==\S+", "joserfc==0.9", text), ["joserfc>=1.0, and the lock has 0.9"]),
        (lambda text: text + blocks(DEVELOPMENT.text)[0], ["is locked and nothing asks for it"]),
        (lambda text: re.sub(r"(?m)^    --hash\S+( \\)?\n", "", text), ["joserfc has no hash"]),
        (lambda text: "--index-url https://packages.example/simple\n" + text, ["it names an address"]),
    ],
)
def test_a_lock_that_differs_is_told(
    change: Callable[[str], str], wanted: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deploy").mkdir()
    for name in ("pyproject.toml", DEVELOPMENT.path):
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / GATEWAY.path).write_text(changed := change(GATEWAY.text))
    assert changed != GATEWAY.text
    monkeypatch.setattr(locks, "ROOT", tmp_path)
    told = "\n".join(drift(GATEWAY))
    assert [words for words in wanted if words not in told] == []
    assert "run make lock" in told
