"""The list of what runs, and what has to change at the agent."""

import json
from dataclasses import replace

import pytest

from chassis.consul.values import ServiceInstance
from chassis.registrar.entries import Entry, ListInvalid, parse_list
from chassis.registrar.plan import RegistrationPlan, instance, planned

ITEMS = {"service": "items", "host": "10.0.0.1", "port": 8102}
ONE, TWO = Entry("items", "10.0.0.1", 8102, ("v1",), "/health/ready"), Entry("items", "fd00::1", 8102)
ME, OTHER, EVERY_S = "me", "other", 5.0


def lines(*values: object) -> bytes:
    return b"\n".join(json.dumps(value).encode() for value in values)


def test_a_list_is_read_line_by_line() -> None:
    more = {**ITEMS, "host": "fd00::1", "tags": ["v1", "blue", "v1"], "health": "/up?x=1", "scheme": "https"}
    one, two = parse_list(lines(ITEMS, more, ITEMS) + b"\n\n")
    assert (one.id, one.health_url) == ("items-10.0.0.1:8102", None)
    assert (two.id, two.health_url, two.tags) == (
        "items-[fd00::1]:8102",
        "https://[fd00::1]:8102/up?x=1",
        ("blue", "v1"),
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"items", "line 1: "),
        (lines([1]), "wanted an object"),
        (lines({**ITEMS, "adress": 1}), "unknown field 'adress'"),
        (lines({**ITEMS, "port": 0}), "port must be"),
        (lines({**ITEMS, "port": True}), "port must be"),
        (lines({**ITEMS, "tags": ["registrar=me"]}), "tags must be"),
        (lines({**ITEMS, "host": "a b"}), "host must be"),
        (lines({**ITEMS, "service": "a/../b"}), "service must"),
        (lines({**ITEMS, "health": "up"}), "health must be"),
        (lines({**ITEMS, "scheme": "ftp"}), "scheme must be"),
        (lines(ITEMS, {**ITEMS, "tags": ["v2"]}), "line 2: items-10.0.0.1:8102 stands there twice"),
    ],
)
def test_one_bad_line_makes_the_whole_list_unusable(line: bytes, sentence: str) -> None:
    with pytest.raises(ListInvalid, match=sentence):
        parse_list(lines({**ITEMS, "port": 1})[:0] + line)


def at(entry: Entry, owner: str = ME) -> ServiceInstance:
    return instance(entry, owner, EVERY_S)


@pytest.mark.parametrize(
    ("entries", "registered", "plan"),
    [
        ((ONE, TWO), (), RegistrationPlan(register=(ONE, TWO))),
        ((ONE, TWO), (at(ONE), at(TWO)), RegistrationPlan()),
        ((TWO,), (at(ONE), at(TWO)), RegistrationPlan(deregister=(ONE.id,))),
        ((), (at(ONE, OTHER), ServiceInstance("consul", "consul", "", 8300)), RegistrationPlan()),
        ((ONE,), (at(ONE, OTHER),), RegistrationPlan(foreign=(ONE.id,))),
        ((replace(ONE, health="/up"),), (at(ONE),), RegistrationPlan(register=(replace(ONE, health="/up"),))),
        ((replace(ONE, tags=("v2",)),), (at(ONE),), RegistrationPlan(register=(replace(ONE, tags=("v2",)),))),
    ],
)
def test_a_plan_makes_the_agent_have_the_list_and_leaves_what_others_registered(
    entries: tuple[Entry, ...], registered: tuple[ServiceInstance, ...], plan: RegistrationPlan
) -> None:
    assert planned(entries, registered, ME, EVERY_S) == plan
