"""A real Envoy and a real nginx on an exported file send every request where the gateway would send it."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from parts.ports import free_port
from strangler_gateway.config.file import load
from strangler_gateway.export.given import service_at
from strangler_gateway.export.rules import ExportOptions
from strangler_gateway.export.targets import export
from strangler_gateway.steps.explain import Explanation, explain
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.position import Position, placed
from strangler_gateway.table.routes import MigrationState, PathRules, RouteTable, Side
from tests.export.spellings import Spelled, spelled
from tests.support.exported import Answered, StandIn, ask, running

pytestmark = pytest.mark.walk

ROOT = Path(__file__).parents[2]
TARGETS = ("envoy", "nginx")
REFUSED = {
    "envoy": {"raw bytes": 400, "method UNHEARD-OF": 400, "method get": 400, "asterisk": 404},
    "nginx": {
        **{"above root": 400, "%00": 400, "% alone": 400, "method TRACE": 405, "method get": 400, "asterisk": 400},
    },
}
"""What a proxy answers itself: what its report says, and nothing else."""
NAMED = {
    "envoy": {"methods", "raw_bytes", "asterisk"},
    "nginx": {"methods", "percent", "above_root", "asterisk", "fragment"},
}


@dataclass(frozen=True)
class Running:
    table: RouteTable
    port: int
    named: set[str]

    def ask(self, request: Spelled) -> Answered:
        return ask(self.port, request.method, request.target, *request.fields)


@contextmanager
def exported(
    target: str, text: str, folder: Path, position: Position | None, rules: PathRules | None = None
) -> Iterator[Running]:
    """The program, in front of one stand-in for each service of the file, and one that stands for a gateway."""
    with ExitStack() as stack:
        names = ("monolith", "shop", "account", "learning", "old", "new", "default", "gateway")
        stands = {name: stack.enter_context(StandIn(name)) for name in names}
        urls = {f"{name.upper()}_URL": stand.url for name, stand in stands.items()}
        table = load(text, urls)
        if rules is not None:
            table = replace(table, paths=rules)
        if position is not None:
            table = table.with_movables({name: placed(one, position) for name, one in table.movables.items()})
        port = free_port()
        options = ExportOptions(listen=("127.0.0.1", port), gateway=service_at("gateway", stands["gateway"].url))
        result = export(target, table, options)
        stack.enter_context(running(target, folder, result.text, port))
        yield Running(table, port, {one.code for one in result.missing})


def wanted(one: Explanation, request: Spelled) -> tuple[str, str]:
    """The service that the gateway would choose, and the target that it would get there."""
    if one.service is None:
        return "gateway", _origin_form(request.target)
    path, mark, query = _origin_form(request.target).partition("?")
    template = one.route.rewrite.extracted if one.side is Side.EXTRACTED else one.route.rewrite.legacy
    values = dict(one.variables)
    if template is not None:
        path = re.sub(r"\{(\w+)(?:\.\.\.)?\}", lambda found: values[found[1]], template)
    return one.service.name, one.service.base_path.decode() + path + mark + query


def _origin_form(target: str) -> str:
    return re.sub("^http://[^/]*", "", target)


def explained(matcher: Matcher, request: Spelled) -> Explanation:
    # explain takes text; the bytes of a raw target are those of latin-1 here, and no route has such a literal
    return explain(matcher, request.routed_method, _origin_form(request.target))


def differing(system: Running, refused: dict[str, int]) -> list[tuple[Spelled, Answered, object]]:
    """Requests that are not answered as the gateway decides, or not refused as the report says."""
    matcher = Matcher(system.table)
    found: list[tuple[Spelled, Answered, object]] = []
    for route in system.table.routes:
        for request in {*spelled(route.path, route.methods), Spelled("OPTIONS", "*", sort="asterisk")}:
            answered = system.ask(request)
            right: object = wanted(explained(matcher, request), request)
            if request.sort in refused:
                right = refused[request.sort]
                if (answered.status, answered.service) != (right, None):
                    found.append((request, answered, right))
            elif (answered.service, answered.target) != right:
                found.append((request, answered, right))
    return found


@pytest.mark.parametrize("state", ["legacy", "shadow", "extracted", "retired"])
@pytest.mark.parametrize("target", TARGETS)
def test_every_request_goes_where_the_gateway_would_send_it(target: str, state: str, tmp_path: Path) -> None:
    text = (ROOT / "routes.yaml").read_text()
    with exported(target, text, tmp_path, Position(MigrationState(state))) as system:
        assert len(system.table.routes) > 45
        assert differing(system, REFUSED[target]) == []
        assert NAMED[target] <= system.named


RULES = {
    "as Express": PathRules(case_sensitive=False, trailing_slash="ignore"),
    "strict": PathRules(),
    "decoded": PathRules(decode_literals=True),
    "decoded, any case": PathRules(case_sensitive=False, trailing_slash="ignore", decode_literals=True),
}


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@pytest.mark.parametrize("target", TARGETS)
def test_hostile_paths_and_names_are_quoted(target: str, rules: PathRules, tmp_path: Path) -> None:
    text = Path(__file__).with_name("hostile.yaml").read_text()
    with exported(target, text, tmp_path, None, rules) as system:
        assert differing(system, REFUSED[target]) == []


@pytest.mark.parametrize("target", TARGETS)
def test_the_share_of_a_canary_is_a_weight_and_a_credential_stays_on_its_side(target: str, tmp_path: Path) -> None:
    text = (ROOT / "routes.yaml").read_text()
    with exported(target, text, tmp_path, Position(MigrationState.CANARY, 2500)) as system:

        def side(path: str, user: int) -> str | None:
            return ask(system.port, "GET", path, f"Authorization: Bearer {user}").service

        for path, new in (("/item/7", "shop"), ("/user", "account"), ("/health", "account")):
            found = Counter(side(path, user) for user in range(2000))
            assert set(found) == {new, "monolith"}
            assert 380 < found[new] < 620  # 500 expected, six standard deviations of 19
        first = [side("/item/7", user) for user in range(50)]
        assert [side("/item/7", user) for user in range(50)] == first
        assert len({ask(system.port, "GET", "/item/7").service for _ in range(200)}) == 2
        assert {"buckets", "anonymous", "failover"} <= system.named
