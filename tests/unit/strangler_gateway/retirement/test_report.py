"""The retire report: what it says, what it does not call a proof, and that nobody can change it."""

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import KeySet

from strangler_gateway.identity.signer import ephemeral_signer
from strangler_gateway.migration.journal.journal_entry import JournalEntry, JournalEvent, Standing
from strangler_gateway.retirement.document import ReportInvalid
from strangler_gateway.retirement.markdown import document_in, markdown
from strangler_gateway.retirement.near import near
from strangler_gateway.retirement.report import Findings, Report, report
from strangler_gateway.retirement.signature import signed, verified
from strangler_gateway.telemetry.runs import CountedRun
from strangler_gateway.telemetry.stats import Stats
from tests.support.gateway.migrating import EXTRACTED, SHADOW, World

DAY = 86_400.0
KEYS: KeySet = ephemeral_signer().keys


async def findings(world: World, **changed: Any) -> Findings:
    """Two days in extracted, without a request to the monolith."""
    table = (await world.started()).served
    counted = Stats(wall=lambda: 10 * DAY)
    counted.since = 5 * DAY
    counted.route("item-read").extracted = 1000
    given: dict[str, Any] = {
        "table": table,
        "movable": table.movables["items"],
        "standing": Standing(EXTRACTED, 8 * DAY, "alice", "ready"),
        "counted": counted,
        "problems": (),
        "runs": {"gw-1": [CountedRun(5 * DAY)]},
        "entries": [JournalEntry(8 * DAY, JournalEvent.FLIP, "items", "alice", "ready", SHADOW, EXTRACTED)],
        "now": 10 * DAY,
        "gateway": "gw-1",
        "who": "bob",
    }
    return Findings(**given | changed)


async def test_two_days_without_a_request_prove_what_one_day_requires(world: World) -> None:
    made = report(await findings(world))
    assert (made["proven"], made["missing"], made["remarks"]) == (True, [], [])
    assert (made["silent_since"], made["silent_s"], made["required_s"]) == ("1970-01-09T00:00:00.000Z", 172800, 86400)
    assert [row["requests_extracted"] for row in made["routes"]] == [1000]
    assert [(row["who"], row["after"]) for row in made["journal"]] == [("alice", {"state": "extracted"})]


def _asked_lately(found: Findings) -> None:
    found.counted.route("item-read").last_legacy_at = 9.5 * DAY


@pytest.mark.parametrize(
    ("changed", "change", "missing"),
    [
        ({"standing": Standing(EXTRACTED, 9.5 * DAY)}, None, "the counters show 12 h"),
        ({"standing": Standing(SHADOW, 1.0)}, None, "items is in shadow"),
        ({"problems": ("no counters from gw-2",)}, None, "no counters from gw-2"),
        ({}, _asked_lately, "requires 1 d without a request to the monolith, and the counters show 12 h"),
    ],
)
async def test_what_is_no_proof_says_why(
    world: World, changed: Mapping[str, Any], change: Callable[[Findings], None] | None, missing: str
) -> None:
    found = await findings(world, **changed)
    if change:
        change(found)
    made = report(found)
    assert (made["proven"], len(made["missing"]), missing in made["missing"][0]) == (False, 1, True)


async def test_killed_processes_and_undeclared_traffic_on_the_same_path_are_told(world: World) -> None:
    found = await findings(world, runs={"gw-1": [CountedRun(1.0), CountedRun(2.0, 3.0), CountedRun(4.0)]})
    found.counted.undeclared.update({"PUT /ITEM/{}": 7, "GET /other": 9, "GET /item/{}/history": 1})
    made = report(found)
    assert [(row["shape"], row["requests"]) for row in made["undeclared"]] == [
        ("PUT /ITEM/{}", 7),
        ("GET /item/{}/history", 1),
    ]
    assert "7 requests of PUT /ITEM/{} went to the monolith" in made["remarks"][0]
    assert "gw-1 was killed 1 times" in made["remarks"][2]


@pytest.mark.parametrize(
    ("shape", "shares"),
    [
        ("GET /item/{}", True),
        ("DELETE /item/special", True),
        ("GET /{}/{}", True),
        ("GET /item", False),
        ("GET /items/{}", False),
        ("GET /", False),
    ],
)
async def test_a_shape_shares_a_path_where_it_may_be_that_path_or_below(world: World, shape: str, shares: bool) -> None:
    assert bool(near(shape, (await findings(world)).routes)) is shares


def document(**changed: Any) -> dict[str, Any]:
    """A small signed report."""
    made: Report = {
        "group": "items", "made_at": "m", "asked_by": "bob", "gateway": "gw-1", "silent_since": "s", "silent_s": 2,
        "required_s": 1, "proven": True, "missing": [], "remarks": [], "routes": [], "undeclared": [],
        "counted_since": "c", "gateways": {"gw-1": [{"started": "a", "stopped": None}]},
        "journal": [{"time": "t", "event": "flip", "who": "alice", "why": "w", "before": None,
                     "after": {"state": "canary", "share": 12.5}, "forced": ["wait"]}],
        **changed,
    }  # fmt: skip
    return signed(made, KEYS)


ODD = ["```json\n{}\n```", "| a | b |", "<script>", "\\", "\r\n\r\n# no", "\x85"]
texts = st.text(max_size=30) | st.sampled_from(ODD)


@given(texts, texts)
def test_whatever_people_write_both_forms_give_the_document_back_and_stay_one_table_row(who: str, why: str) -> None:
    made = document(asked_by=who, missing=[why])
    made["report"]["journal"][0]["why"] = why
    made = signed(made["report"], KEYS)
    for text in (markdown(made), json.dumps(made)):
        assert verified(document_in(text), KEYS) == made["report"]
    assert "<script>" not in markdown(made).partition("## Signed document")[0]


@pytest.mark.parametrize("path", [("report", "proven"), ("report", "silent_since"), ("signature",)])
def test_a_document_that_was_changed_or_is_signed_by_another_key_is_refused(path: tuple[str, ...]) -> None:
    genuine = document()
    assert verified(genuine, KEYS) == genuine["report"]
    changed = copy.deepcopy(genuine)
    place = changed if len(path) == 1 else changed[path[0]]
    place[path[-1]] = document(group="other")["signature"] if path == ("signature",) else "changed"
    for made, keys in ((changed, KEYS), (genuine, ephemeral_signer().keys)):
        with pytest.raises(ReportInvalid, match="does not fit"):
            verified(made, keys)


def test_a_text_that_says_something_else_than_the_document_is_refused() -> None:
    text = markdown(document(missing=["items is on hold"], proven=False))
    for old, new in (("not proven", "proven"), ("- items is on hold\n", ""), ("alice", "carol")):
        with pytest.raises(ReportInvalid, match="it was changed"):
            document_in(text.replace(old, new, 1))


NO_REPORTS = ["", "{", "[]", "{}", '{"report": {}, "signature": "a.b.c"}', "```json\n[1]\n```", "x" * 99, "[" * 99_999]


@pytest.mark.parametrize("text", NO_REPORTS, ids=range(len(NO_REPORTS)))
def test_what_is_no_report_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ReportInvalid, match=r"no signed report|it was changed"):
        verified(document_in(text), KEYS)


def test_a_token_of_the_same_key_is_no_report() -> None:
    genuine = document()
    head = ephemeral_signer().gateway_token("gw-1").partition(".")[0]
    with pytest.raises(ReportInvalid, match="does not fit"):
        verified({**genuine, "signature": f"{head}..{genuine['signature'].partition('..')[2]}"}, KEYS)
