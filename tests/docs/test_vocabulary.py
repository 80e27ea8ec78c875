"""One word, one meaning (GLOSSARY.md): in the names of the product's classes and modules."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("strangler_gateway", "chassis", "extracted", "legacy_adapter")
SAME_MEANING = {
    "Compat": "which of the monolith's faults a service keeps: each service has its own list",
    "Item": "the shop's item, and Account's own copy of it",
    "Offer": "what the shop says of an item before a purchase, and Account's own copy of it",
    "Purchase": "Account's purchase, and the shop's own copy of its ids",
    "ValueRefused": "the store or the monolith does not take a value, in Account and in Learning",
    "Settings": "what one process is told from outside: each process has its own",
}
"""Class names that may stand in several files, because they mean the same in each."""
RETIRED_MODULES = {
    *("board", "judge", "gates", "uptake", "last_seen", "complaints", "part", "async_call", "unit"),
    *("cli_looks", "cli_moves", "buying", "calling", "looking", "reminding", "selling", "posting", "keeping", "noting"),
    *("kinds", "relay_lane", "parked"),
}
RETIRED_CLASSES = {
    *("Board", "Judge", "Gates", "Uptake", "Complaints", "Part", "Turn", "Take", "Both", "Killers", "Later", "Unit"),
    *("Selling", "Posting", "Measuring"),
}

FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def places() -> dict[str, list[str]]:
    """Class name, without leading underscore → the files that define it."""
    found = defaultdict(list)
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name.lstrip("_")].append(str(path.relative_to(ROOT)))
    return found


def test_a_class_name_has_one_meaning() -> None:
    twice = {name: files for name, files in places().items() if len(files) > 1}
    assert {name: files for name, files in twice.items() if name not in SAME_MEANING} == {}
    assert set(SAME_MEANING) - set(twice) == set()


def test_a_retired_word_names_nothing() -> None:
    assert len(FILES) > 200
    assert {path.stem for path in FILES} & RETIRED_MODULES == set()
    assert set(places()) & RETIRED_CLASSES == set()
