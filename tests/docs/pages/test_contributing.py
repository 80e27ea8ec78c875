"""CONTRIBUTING.md matches the code: the structure of a service, and the route that it shows."""

import json
import re

from ruamel.yaml import YAML

from strangler_gateway.config.checks.check import check_text
from tests.docs.commands import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
SERVICE = PAGE.partition("\n## A service")[2].partition("\n## ")[0]


def test_the_service_to_copy_from_has_what_the_table_names_and_nothing_of_another_kind() -> None:
    named = {
        name.rstrip("/")
        for row in re.findall(r"^\| (`.*?) \|", SERVICE, re.MULTILINE)
        for name in re.findall("`(.+?)`", row)
    }
    has = {path.name for path in (ROOT / "extracted/shop").iterdir() if path.name[0] != "_"}
    assert named - has == set()
    assert has - named == {"decision.py", "metrics.py"}


def test_the_template_has_the_same_names() -> None:
    template = {path.name for path in (ROOT / "examples/service").iterdir() if path.name[0] != "_"}
    own = {"adapter.py", "api.py", "test_service.py"}  # in extracted/: legacy_adapter/, api/, tests/
    assert {name for name in template - own if f"`{name}`" not in SERVICE} == set()


def test_the_route_that_it_shows_can_be_declared() -> None:
    block = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert block
    [route] = YAML(typ="safe").load(block[1])
    file = YAML(typ="safe").load((ROOT / "routes.yaml").read_text())
    file["services"]["learning"] = {"url": "http://127.0.0.1:8105"}
    file["routes"] = [route if one["id"] == route["id"] else one for one in file["routes"]]
    assert check_text(json.dumps(file), {}).faults == ()
