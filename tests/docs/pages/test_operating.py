"""docs/operating.md names log events and answers as the code has them."""

import re

from tests.docs.commands import ROOT

PAGE = (ROOT / "docs/operating.md").read_text()
SERVICES = PAGE.partition("## The services")[2].partition("\n## ")[0]
SOURCE = "\n".join(
    file.read_text()
    for package in ("chassis", "extracted", "legacy_adapter", "strangler_gateway")
    for file in (ROOT / package).rglob("*.py")
)
METRIC = re.compile("(account|mailer|strangler)_")


def test_every_event_that_an_operator_looks_for_is_logged() -> None:
    events = {word for word in re.findall("`([a-z]+(?:_[a-z]+)+)`", SERVICES) if not METRIC.match(word)}
    assert len(events) > 8
    assert {event for event in events if f'"{event}"' not in SOURCE} == set()


def test_every_reason_that_an_operator_reads_is_given() -> None:
    told = {
        *("the store is not reachable", "a queue is full", "no queue is bound for it", "consumer lost"),
        *("The identity cannot be established now.", "the monolith's database", " is not written: "),
    }
    assert {words for words in told if words not in SOURCE} == set()
    assert {words for words in told if words not in SERVICES} == set()
