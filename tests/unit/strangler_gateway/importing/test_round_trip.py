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
from strangler_gateway.table.position import Position, placed
from strangler_gateway.table.routes import MigrationState
from tests.export.spellings import spelled

ROUTES = (Path(__file__).parents[4] / "routes.yaml").read_text()
READERS = {"envoy": envoy.read, "nginx": nginx.read, "httproute": httproute.read}
OPTIONS = ExportOptions(gateway=service_at("strangler-gateway", "http://10.0.0.9:80"))


@pytest.mark.parametrize(
    "position",
    [Position(MigrationState.LEGACY), Position(MigrationState.CANARY, 9000), Position(MigrationState.EXTRACTED)],
    ids=str,
)
@pytest.mark.parametrize("target", READERS)
def test_an_exported_table_comes_back(target: str, position: Position) -> None:
    table = load(ROUTES, {})
    table = table.with_movables({name: placed(one, position) for name, one in table.movables.items()})
    found = READERS[target](export(target, table, OPTIONS).text)
    back = load(routes_text(found, target), {})
    assert found.problems == {}
    assert len(back.routes) == len(table.routes)
    assert back.paths == table.paths
    before, after = Matcher(table), Matcher(back)
    for route in table.routes:
        for request in spelled(route.path, route.methods):
            method, path = request.routed_method.encode(), request.target.partition("?")[0].encode()
            old, new = before.match(method, path)[0], after.match(method, path)[0]
            assert [(end.service.name, end.weight) for end in ends(new, OPTIONS)] == [
                (end.service.name, end.weight) for end in ends(old, OPTIONS)
            ], request
    if position.state is MigrationState.EXTRACTED:
        rewrites = {route.rewrite.extracted or route.rewrite.legacy for route in back.routes}
        assert rewrites == {None, "/platform/health", "/platform/metrics", "/platform/{rest...}"}
        assert back.services["shop"].port == 8102
