"""Alert rules and dashboards ask only for what gateway and services export; its names keep conventions.

Prometheus' own `promtool check rules` is not needed; `tests/docs/pages/test_pages.py` asks a running system.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from prometheus_client import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from chassis.discovery.port import WatchStatus
from chassis.outbox.failed_messages.message import FailedMessageGroup
from chassis.outbox.relay import RelayStatus
from chassis.service.metrics import rendered
from extracted.account.purchases.domain.saga import PurchaseState
from extracted.account.purchases.metrics import AccountMetrics
from extracted.account.purchases.operator_ports import Audit
from extracted.account.sign_in.metrics import login_metrics
from extracted.learning.rewards.metrics import RewardMetrics
from extracted.mailer.domain import MailState
from extracted.mailer.status import MailerStatus
from extracted.runner.compile_cache import CompileCache
from extracted.runner.metrics import RunnerMetrics
from extracted.runner.queue import FairQueue, QueueBounds
from extracted.runner.sandbox.port import RunOutcome, RunStatus
from extracted.shop.metrics import ShopMetrics
from strangler_gateway.admin.gateways import store_metrics
from strangler_gateway.admin.plan_views import plan_metrics
from strangler_gateway.admin.views import discovery_metrics, limit_metrics, migration_metrics
from strangler_gateway.limits.limiter import LimiterStatus
from strangler_gateway.plans.decide import PlanStanding
from strangler_gateway.table.position import LEGACY
from strangler_gateway.table.routes import Movable, Route, RouteTable, Service
from strangler_gateway.table.rules.publish import PublishRules
from strangler_gateway.telemetry.bulkheads import BulkheadStatus, bulkhead_metrics
from strangler_gateway.telemetry.instances import InstanceStatus, instance_metrics
from strangler_gateway.telemetry.metrics_page import request_metrics
from strangler_gateway.telemetry.publish_stats import Published
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.upstream.discovery import DiscoveryReport
from tests.docs.commands import ROOT
from tests.docs.generated.dashboards import written
from tests.docs.generated.queries import read
from tests.support.gateway.migrating import World

FILE = ROOT / "deploy" / "alerts.yaml"
RULES: list[dict[str, Any]] = [rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]]
DASHBOARDS: list[dict[str, Any]] = [
    json.loads(path.read_text()) for path in sorted((ROOT / "deploy/grafana").iterdir())
]
PANELS = [panel for board in DASHBOARDS for panel in board["panels"] if panel["type"] != "row"]
TARGET = {"job", "instance"}
"""Labels that Prometheus adds itself, to `up` as well."""
UNITS = re.compile(r"_(s|ms|sec|secs|millis|milliseconds|minutes|percent|kb|mb)(_|$)")
NOW = datetime(2026, 1, 1, tzinfo=UTC)

Labels = dict[str, set[str]]
"""By label, the values on the page."""


def answering(value: object) -> Any:
    """A method that gives the value."""

    async def answer(*_: object) -> object:
        return value

    return answer


def outbox() -> Any:
    status = RelayStatus({"x y.v1": 1}, {"x y.v1": 2.0}, {})
    return SimpleNamespace(status=answering(status))


def failed_messages() -> Any:
    return SimpleNamespace(grouped=answering([FailedMessageGroup("q", "t.v1", "r", 2, NOW, NOW)]))


async def account() -> str:
    operations: Any = SimpleNamespace(counts=answering(dict.fromkeys(PurchaseState, 0)), oldest_open_s=answering(1.0))
    consumer: Any = SimpleNamespace(status=lambda: SimpleNamespace(queue="q", held=1))
    timer: Any = SimpleNamespace(last=Audit(NOW, ()))
    sign_in: Any = SimpleNamespace(results=Counter(), attempts=SimpleNamespace(refusals=Counter()))
    purchases = AccountMetrics(operations, outbox(), failed_messages(), timer, [consumer])
    return rendered(*await purchases.gauges(), *login_metrics(sign_in))


async def learning() -> str:
    records: Any = SimpleNamespace(unsettled=answering((1, NOW)))
    return rendered(*await RewardMetrics(records, outbox(), lambda: NOW).gauges())


async def shop() -> str:
    worker: Any = SimpleNamespace(relay=outbox(), held=lambda: 1)
    return rendered(*await ShopMetrics(worker, failed_messages()).gauges())


async def mailer() -> str:
    mails: Any = SimpleNamespace(counted=answering(dict.fromkeys(MailState, 0)))
    maintenance: Any = SimpleNamespace(oldest_due_s=answering(1.0), alarm_after=timedelta(seconds=300))
    return rendered(*await MailerStatus(mails, maintenance, lambda: None, 1, lambda: True).metrics())


def runner() -> str:
    """After a run whose sandbox failed."""
    queue = FairQueue(QueueBounds(1, 1, 1, 1), lambda: 0.0)
    metrics = RunnerMetrics(queue, CompileCache(Path(), entries=1, size_bytes=1))
    metrics.ran("PYTHON", "run", RunOutcome(RunStatus.SANDBOX_ERROR))
    return rendered(*metrics.blocks())


async def gateway(folder: Path) -> str:
    """With a request on each side in each kind of status, and a route that publishes."""
    monolith = Service("m", "http", "h", 80)
    publishing = PublishRules("x", "t.v1", "r")
    route = Route("all", "/{rest...}", None, Movable("all", "route"), monolith, publish=publishing)
    stats = Stats()
    counts = stats.route("all")
    counts.statuses_legacy = counts.statuses_extracted = dict.fromkeys((200, 404, 500), 1)
    stats.published["all"] = Published()
    migration = World(folder).controller()
    await migration.start()
    table = RouteTable("d", (route,), {"m": monolith}, {"all": route.movable})
    try:
        limits = limit_metrics(LimiterStatus("127.0.0.1:6379", None, 0))
        bulkheads = bulkhead_metrics([BulkheadStatus("m")])
        instances = instance_metrics([InstanceStatus("m", "h:80")])
        discovered = discovery_metrics({"m": DiscoveryReport("consul://m", WatchStatus(True), ())})
        plans: Any = SimpleNamespace(
            names=lambda: ["all"], standing=lambda unit: PlanStanding(LEGACY), needs_person=lambda unit: True
        )
        behind = (*limits, *bulkheads, *instances, *discovered, *store_metrics(True, 2, 0, True), *plan_metrics(plans))
        return rendered(*request_metrics(stats, table), *migration_metrics(migration), *behind)
    finally:
        await migration.aclose()


@pytest.fixture
async def families(tmp_path: Path) -> list[Family]:
    """What all processes export."""
    pages = {"strangler": await gateway(tmp_path), "account": await account(), "shop": await shop()}
    pages |= {"mailer": await mailer(), "runner": runner(), "learning": await learning()}
    found = {name: list(text_string_to_metric_families(page)) for name, page in pages.items()}
    assert all(family.name.startswith(f"{name}_") for name, each in found.items() for family in each)
    return [family for each in found.values() for family in each]


def test_the_dashboards_are_current() -> None:
    folder = ROOT / "deploy/grafana"
    assert {path.name: path.read_text() for path in folder.iterdir()} == written(), "run `make dashboards`"


def labels(families: Sequence[Family]) -> dict[str, Labels]:
    """By sample name."""
    found: dict[str, Labels] = {"up": {}}
    for family in families:
        for sample in family.samples:
            known = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                known.setdefault(label, set()).add(value)
    return found


ALERTED = {re.sub("_(total|bucket)$", "", one.metric) for rule in RULES for one in read(rule["expr"]).selectors} - {
    "up"
}
"""The families that the rules ask for."""


def matches(values: set[str], operator: str, wanted: str) -> bool:
    """Whether a value on the page passes the matcher."""
    if operator == "!=":
        return bool(values - {wanted})
    return any(re.fullmatch(wanted, value) if operator == "=~" else value == wanted for value in values)


def check(expression: str, shown: set[str], exported: dict[str, Labels]) -> None:
    """A query asks for metrics and labels that are exported; what is shown of its result are labels that it has."""
    query = read(expression)
    assert query.selectors
    for asked in query.selectors:
        assert asked.metric in exported, asked.metric
        for label, operator, value in asked.matchers:
            has = exported[asked.metric].get(label, set())
            assert label in TARGET or matches(has, operator, value), (asked.metric, label)
    known = TARGET.union(*(exported[asked.metric] for asked in query.selectors))
    assert query.grouped <= known
    assert shown <= (query.grouped or known), shown


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_asks_for_what_is_exported_and_says_what_to_do(rule: dict[str, Any], families: list[Family]) -> None:
    shown = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    check(rule["expr"], shown, labels(families))
    assert rule["labels"]["severity"] in ("page", "warn")


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_asks_for_what_is_exported(panel: dict[str, Any], families: list[Family]) -> None:
    exported = labels(families)
    for target in panel["targets"]:
        check(target["expr"], set(re.findall(r"{{(\w+)}}", target["legendFormat"])), exported)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard["uid"])
def test_panels_have_ids_and_places_of_their_own(dashboard: dict[str, Any]) -> None:
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) < 24


def test_each_rule_has_a_name_of_its_own_and_a_section_that_exists() -> None:
    headings = re.findall(r"^#+ (.*)$", (ROOT / "docs/operating.md").read_text(), re.MULTILINE)
    sections = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    named = {rule["annotations"]["runbook"].removeprefix("docs/operating.md#") for rule in RULES}
    assert named <= sections
    assert len({rule["alert"] for rule in RULES}) == len(RULES) > 15


def test_names_of_metrics_keep_prometheus_conventions(families: list[Family]) -> None:
    """https://prometheus.io/docs/practices/naming: base units, plural-free suffixes, `_total` for counters alone."""
    for family in families:
        assert re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", family.name)
        assert not UNITS.search(family.name), family.name
        assert family.documentation.endswith("."), family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        samples = {sample.name.removeprefix(family.name) for sample in family.samples}
        assert samples <= {"counter": {"_total"}, "gauge": {""}}.get(family.type, {"_bucket", "_sum", "_count"})
        if family.type == "histogram":
            assert family.name.endswith("_seconds")
