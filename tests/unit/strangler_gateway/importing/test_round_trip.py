"""What `strangler export` writes, `strangler import` reads: the same routes, ends and shares."""

from pathlib import Path

import pytest

from strangler_gateway.config.file import load
from strangler_gateway.export.given import service_at
from strangler_gateway.export.rules import ExportOptions, ends
from strangler_gateway.export.targets import export
from strangler_gateway.importing import envoy, httproute, nginx
from strangler_gateway.importing.write import routes_text
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.position import WHOLE, Position, placed
from strangler_gateway.table.routes import MigrationState, Route
from tests.export.spellings import spelled

ROUTES = (Path(__file__).parents[4] / "routes.yaml").read_text()
READERS = {"envoy": envoy.read, "nginx": nginx.read, "httproute": httproute.read}
OPTIONS = ExportOptions(gateway=service_at("strangler-gateway", "http://10.0.0.9:80"))


def named(route: Route) -> list[tuple[str, int]]:
    return [(end.service.name, end.weight) for end in ends(route, OPTIONS)]


@pytest.mark.parametrize(
    "position",
    [Position(MigrationState.LEGACY), Position(MigrationState.CANARY, 9000), Position(MigrationState.EXTRACTED)],
    ids=str,
)
@pytest.mark.parametrize("target", READERS)
def test_an_exported_table_comes_back(target: str, position: Position) -> None:
    table = load(ROUTES, {})
    table = table.with_movables({name: placed(one, position) for name, one in table.movables.items()})
    made = export(target, table, OPTIONS)
    found = READERS[target](made.text)
    back = load(routes_text(found, target), {})
    assert found.problems == {}
    assert len(back.routes) == len(table.routes)
    assert back.paths == table.paths
    left = {where for one in made.missing if one.code == "needs_gateway" for where in one.where}
    before, after = Matcher(table), Matcher(back)
    for route in table.routes:
        for request in spelled(route.path, route.methods):
            method, path = request.routed_method.encode(), request.target.partition("?")[0].encode()
            old, new = before.match(method, path)[0], after.match(method, path)[0]
            right = [("strangler-gateway", WHOLE)] if old.id in left else named(old)
            assert named(new) == right, request
    if position.state is MigrationState.EXTRACTED:
        rewrites = {route.rewrite.extracted or route.rewrite.legacy for route in back.routes}
        assert rewrites - {"/platform/{rest...}"} == {None, "/platform/health", "/platform/metrics"}
        assert ("/platform/{rest...}" in rewrites) == ("everything-else" not in left)
        assert back.services["shop"].port == 8102
