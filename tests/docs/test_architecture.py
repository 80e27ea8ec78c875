"""docs/architecture.md names every folder, and no page names a file that does not exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/architecture.md").read_text()
PATH = re.compile(r"`([\w.-]+(?:/[\w.{},*-]+)*/?)`")
MADE = {"dist", "build", "__pycache__"}
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."} - MADE
PAGES = [
    page
    for where in ("*.md", "docs/**/*.md", "*/*/README.md")
    for page in ROOT.glob(where)
    if ".venv" not in page.parts
]


def test_every_path_that_a_page_names_exists() -> None:
    named = {path for page in PAGES for path in PATH.findall(page.read_text()) if path.partition("/")[0] in FOLDERS}
    assert len(named) > 50
    assert [path for path in sorted(named) if "/" in path and not list(ROOT.glob(path.rstrip("/")))] == []


def test_the_architecture_names_every_folder_at_the_top() -> None:
    assert {folder for folder in FOLDERS if f"`{folder}/" not in TEXT} == set()


def test_every_folder_of_source_says_what_lives_there() -> None:
    packages = ("strangler_gateway", "chassis", "extracted", "legacy_adapter")
    bare = {"migrations", "alembic_env"}  # Alembic reads them; nothing imports them
    folders = {path.parent for package in packages for path in (ROOT / package).rglob("*.py")}
    inits = [folder / "__init__.py" for folder in folders if folder.name not in bare]
    assert len(inits) > 40
    assert [str(path) for path in inits if not path.exists() or not path.read_text().startswith('"""')] == []


def test_every_relative_link_of_the_documents_leads_somewhere() -> None:
    links = [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())]
    assert len(links) > 50
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_the_index_lists_every_decision() -> None:
    decisions = ROOT / "docs/decisions"
    index = (decisions / "README.md").read_text()
    assert [page.name for page in decisions.glob("[a-z]*.md") if f"({page.name})" not in index] == []
