"""docs/architecture.md names what is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/architecture.md").read_text()
PATH = re.compile(r"`([\w.-]+(?:/[\w.{},*-]+)*/?)`")


def test_every_path_that_it_names_exists() -> None:
    named = [path for path in PATH.findall(TEXT) if "/" in path or path.endswith((".py", ".md", ".yaml", ".toml"))]
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_it_names_every_folder_at_the_top() -> None:
    made = {"dist", "build", "__pycache__"}
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."} - made
    assert {folder for folder in folders if f"`{folder}/" not in TEXT} == set()


def test_it_names_every_module_of_gateway_and_chassis() -> None:
    modules = [path for package in ("strangler_gateway", "chassis") for path in (ROOT / package).glob("[!_]*.py")]
    assert [path.name for path in modules if f"`{path.relative_to(ROOT)}`" not in TEXT] == []


def test_every_relative_link_of_the_documents_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())]
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_the_index_lists_every_decision() -> None:
    decisions = ROOT / "docs/decisions"
    index = (decisions / "README.md").read_text()
    assert [page.name for page in decisions.glob("[a-z]*.md") if f"({page.name})" not in index] == []
