"""A real Envoy and a real nginx on an exported file send every request where the gateway would send it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from strangler_gateway.table.position import Position
from strangler_gateway.table.routes import MigrationState, PathRules
from tests.export.comparison import REMOVED, Exported, differing, exported, removed, unlikely_shares
from tests.support.exported import ask, running

pytestmark = pytest.mark.walk

ROUTES = (Path(__file__).parents[2] / "routes.yaml").read_text()
HOSTILE = Path(__file__).with_name("hostile.yaml").read_text()
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


@contextmanager
def served(
    target: str, text: str, folder: Path, position: Position | None, rules: PathRules | None = None
) -> Iterator[Exported]:
    """The program runs on the exported text."""
    with exported(target, text, position, rules) as system, running(target, folder, system.result.text, system.port):
        yield system


@pytest.mark.parametrize("state", ["legacy", "shadow", "extracted", "retired"])
@pytest.mark.parametrize("target", TARGETS)
def test_every_request_goes_where_the_gateway_would_send_it(target: str, state: str, tmp_path: Path) -> None:
    with served(target, ROUTES, tmp_path, Position(MigrationState(state))) as system:
        assert len(system.table.routes) > 45
        assert differing(system, REFUSED[target]) == []
        assert NAMED[target] <= system.named


@pytest.mark.parametrize("target", TARGETS)
def test_every_request_of_a_canary_goes_to_one_of_its_two_sides(target: str, tmp_path: Path) -> None:
    with served(target, ROUTES, tmp_path, Position(MigrationState.CANARY, 5000)) as system:
        assert differing(system, REFUSED[target]) == []
        assert len(system.shares) > 40
        assert unlikely_shares(system.shares) == []
        assert removed(system) == REMOVED


RULES = {
    "as Express": PathRules(case_sensitive=False, trailing_slash="ignore"),
    "strict": PathRules(),
    "decoded": PathRules(decode_literals=True),
    "decoded, any case": PathRules(case_sensitive=False, trailing_slash="ignore", decode_literals=True),
}


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
@pytest.mark.parametrize("target", TARGETS)
def test_hostile_paths_and_names_are_quoted(target: str, rules: PathRules, tmp_path: Path) -> None:
    with served(target, HOSTILE, tmp_path, None, rules) as system:
        assert differing(system, REFUSED[target]) == []


@pytest.mark.parametrize("target", TARGETS)
def test_the_share_of_a_canary_is_a_weight_and_a_credential_stays_on_its_side(target: str, tmp_path: Path) -> None:
    with served(target, ROUTES, tmp_path, Position(MigrationState.CANARY, 2500)) as system:

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
