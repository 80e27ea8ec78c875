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


def test_every_folder_of_source_says_what_lives_there() -> None:
    packages = ("strangler_gateway", "chassis", "extracted", "legacy_adapter")
    bare = {"migrations", "alembic_env"}  # Alembic reads them; nothing imports them
    folders = {path.parent for package in packages for path in (ROOT / package).rglob("*.py")}
    inits = [folder / "__init__.py" for folder in folders if folder.name not in bare]
    assert len(inits) > 40
    assert [str(path) for path in inits if not path.exists() or not path.read_text().startswith('"""')] == []


def test_every_relative_link_of_the_documents_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())]
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_the_index_lists_every_decision() -> None:
    decisions = ROOT / "docs/decisions"
    index = (decisions / "README.md").read_text()
    assert [page.name for page in decisions.glob("[a-z]*.md") if f"({page.name})" not in index] == []
