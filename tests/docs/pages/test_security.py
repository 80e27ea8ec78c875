"""docs/security.md: every row says what holds it, every test that it names exists; and three rules of its own."""

import re

import pytest
import yaml

from strangler_gateway.cli.output import plain
from strangler_gateway.config.checks.check import check_text
from tests.docs.commands import ROOT

PAGE = (ROOT / "docs/security.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in PAGE.splitlines() if line.startswith("| ")]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|SIGNING_KEY")
LAUGHS = "".join(f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 9))


def test_every_row_names_a_test_or_says_that_it_is_not_held() -> None:
    rows = [row for row in ROWS if row[0] != "threat" and not set(row[0]) <= {"-"}]
    assert len(rows) > 50
    assert [row for row in rows if len(row) != 3 or not (TEST.search(row[2]) or row[2].startswith("not held"))] == []


def test_every_test_that_the_page_names_exists() -> None:
    named = TEST.findall(PAGE)
    assert len(named) == len(re.findall("::test_", PAGE)) > 60
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).exists()
        or not re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE)
    ]
    assert missing == []


@pytest.mark.parametrize("text", ["\x1b]0;title\x07", "\x1b[2J", "a\rb", "\x9b31m", "\u202egnp.exe", "\x00", "\x7f"])
def test_what_others_say_controls_no_terminal(text: str) -> None:
    assert plain(text).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        '!!python/object/apply:os.system ["exit 1"]',
        "version: !!python/name:os.system",
        f"a0: &a0 [x]\n{LAUGHS}",
        "[" * 100_000,
        "a: " + "{a: " * 50_000,
        "a: &a [*a]",
        "a: " + "x" * 1_100_000,
        "version: 1\x00",
    ],
    ids=["apply", "name", "laughs", "lists", "maps", "itself", "long", "nul"],
)
def test_no_yaml_makes_the_gateway_run_code_or_grow(text: str) -> None:
    report = check_text(text, {})
    assert report.faults
    assert report.table is None


def test_no_container_gets_a_secret_by_its_environment() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    given = {(name, key): value for name, one in services.items() for key, value in one.get("environment", {}).items()}
    named = [key for key in given if SECRET.search(key[1])]
    assert len(named) > 10
    files = re.compile(r"(\$\{KEYCLOAK_ENABLED:\+)?/run/secrets/[\w-]+\}?")
    assert [key for key in named if not (key[1].endswith("_FILE") and files.fullmatch(given[key]))] == [
        ("realm", "POLYCODE_KEYCLOAK_SECRETS")  # a folder
    ]
