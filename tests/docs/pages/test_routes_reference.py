"""docs/routes.md: its examples have no fault, and its tables name every field with its default."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from strangler_gateway.config import aggregate_model, identity_model, plan_model, publish_model, resilience_model
from strangler_gateway.config import model as routes_model
from strangler_gateway.config.checks.check import check_text
from strangler_gateway.config.strict_model import StrictModel
from strangler_gateway.http.fields import IDENTITY_NAMES, IDENTITY_PREFIXES

PAGE = (Path(__file__).parents[3] / "docs" / "routes.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SECTIONS: dict[str, type[BaseModel]] = {
    "## The file": routes_model.RoutesFile,
    "### paths": routes_model.Paths,
    "### identity.jwt": identity_model.Jwt,
    "### identity.jwt.confirm": identity_model.ConfirmEntry,
    "### identity.jwt.exchange": identity_model.ExchangeEntry,
    "### identity.introspect": identity_model.Introspect,
    "### errors.STATUS": routes_model.ErrorEntry,
    "### services.NAME": routes_model.ServiceEntry,
    "### services.NAME.timeout_s": routes_model.TimeoutsEntry,
    "### services.NAME.tls": routes_model.TlsOptions,
    "### services.NAME.operators": routes_model.OperatorsEntry,
    "### services.NAME.balance": resilience_model.BalanceEntry,
    "### services.NAME.balance.eject": resilience_model.EjectEntry,
    "### services.NAME.breaker": resilience_model.BreakerEntry,
    "### services.NAME.queue": resilience_model.QueueEntry,
    "### services.NAME.retry": resilience_model.RetryEntry,
    "### groups.NAME": routes_model.GroupEntry,
    "### groups.NAME.accept": routes_model.AcceptEntry,
    "### groups.NAME.gate": routes_model.GateEntry,
    "### groups.NAME.gate.breach": routes_model.BreachEntry,
    "### groups.NAME.plan": plan_model.PlanEntry,
    "### groups.NAME.plan.require": plan_model.RequireEntry,
    "### groups.NAME.plan.notify": plan_model.NotifyEntry,
    "### routes": routes_model.RouteEntry,
    "### routes.match": routes_model.MatchRules,
    "### routes.publish": publish_model.PublishEntry,
    "### routes.publish.body.FIELD": publish_model.BodyFieldEntry,
    "### routes.publish.outcomes.WORD": publish_model.OutcomeEntry,
    "### routes.aggregate": aggregate_model.AggregateEntry,
    "### routes.aggregate.calls.NAME": aggregate_model.CallEntry,
    "### routes.auth": routes_model.AuthRules,
    "### routes.shadow": routes_model.ShadowEntry,
    "### routes.limit": routes_model.LimitEntry,
    "### routes.rewrite": routes_model.RewriteRules,
}


def rows(heading: str) -> dict[str, str]:
    """Field → default, of the table under a heading."""
    section = PAGE.partition(f"\n{heading}\n")[2].partition("\n#")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \| .*\|$", section, re.MULTILINE))


def shown(default: Any) -> str:
    """A default as the tables write it."""
    if default is None or default == "":
        return "–"
    if isinstance(default, dict):
        return f"{{{', '.join(f'{name}: {json.dumps(value)}' for name, value in default.items())}}}"
    if isinstance(default, BaseModel):
        return "see below"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, list):
        return f"[{', '.join(default)}]"
    return f"{default:g}" if isinstance(default, float) else str(default)


def defaults(model: type[BaseModel]) -> dict[str, str]:
    fields = model.model_fields.items()
    return {name: "required" if field.is_required() else shown(field.default) for name, field in fields}


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_served_without_a_warning(example: str) -> None:
    report = check_text(example, {})
    assert (report.faults, report.warnings) == ((), ())


def test_there_is_a_small_example_one_of_each_kind_of_new_end_and_one_that_exchanges_credentials() -> None:
    kinds = ("publish:", "aggregate:", "credentials: exchange")
    assert [len(example.splitlines()) < 10 for example in EXAMPLES] == [True, False, False, False, False]
    assert sorted([kind in example for example in EXAMPLES].count(True) for kind in kinds) == [1, 1, 1]


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_field_is_there_with_its_default(heading: str) -> None:
    expected = defaults(SECTIONS[heading])
    if heading == "### services.NAME.retry":
        expected["budget"] = "20%"
    if heading == "### groups.NAME":
        expected["retire_after"] = "14d"
    if heading == "### groups.NAME.plan":
        expected["cool_down"] = "10m"
    if heading == "### groups.NAME.gate":
        expected |= {"latency_slack": "1ms", "latency_skip": "5m", "latency_window": "30m"}
    if "remember" in expected:
        expected["remember"] = "30d"
    if heading == "### routes":
        expected = {name: default for name, default in expected.items() if name not in rows("### groups.NAME")}
    assert rows(heading) == expected


def test_every_mapping_of_the_file_has_a_table() -> None:
    parts = set(part_classes(StrictModel))
    untabled = {routes_model.MovableFields, routes_model.RolesEntry, identity_model.IdentityEntry}
    assert parts - set(SECTIONS.values()) == untabled


def test_the_page_names_every_field_that_says_who_calls() -> None:
    section = PAGE.partition("### Fields that say who calls\n")[2].partition("\n\n| value")[0]
    named = {name.lower().encode() for name in re.findall(r"`([A-Z][\w-]+)`", section)}
    assert named == {*IDENTITY_NAMES, *IDENTITY_PREFIXES}


def part_classes(kind: type[BaseModel]) -> list[type[BaseModel]]:
    return [each for sub in kind.__subclasses__() for each in (sub, *part_classes(sub))]
