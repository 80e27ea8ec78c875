"""The commands that show what is known of a group: whether it allows a step forward, and rule by rule."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from strangler_gateway.cli.client import AdminClient
from strangler_gateway.cli.options import DEFAULT_ADMIN, Admin, AsJson, MovableName
from strangler_gateway.cli.output import moment, plain, show_table, where
from strangler_gateway.migration.gate.sentences import span

_VERDICTS = {
    None: "no gate is asked here",
    "pass": "PASS",
    "worse": "WORSE",
    "wait": "WAIT",
}


def gate(unit: MovableName, admin: Admin = DEFAULT_ADMIN, as_json: AsJson = False) -> None:
    """Show whether the traffic since the last move allows a step forward.

    Changes nothing. Exit code 0 also where the gate would refuse: use `flip --dry-run` in a script.
    """
    answer = AdminClient(admin, as_json).report("gate", unit=unit)
    verdict = answer["gate"]["verdict"] if answer["gate"] else None
    print(plain(f"{answer['unit']}: {where(answer)} since {moment(answer['moved_at'])}: {_VERDICTS[verdict]}"))
    for refusal in answer["refusals"]:
        print(plain(f"  {refusal['message']}"))


def evidence(unit: MovableName, admin: Admin = DEFAULT_ADMIN, as_json: AsJson = False) -> None:
    """Show what is known of a group since its last move: each rule, its numbers, and how long WAIT takes.

    Changes nothing. Exit code 0 whatever the verdict: use `flip --dry-run` in a script.
    """
    answer = AdminClient(admin, as_json).report(f"groups/{quote(unit, safe='')}/evidence")
    print(plain(f"{answer['group']}: {where(answer)} since {moment(answer['since'])}: {answer['verdict']}"))
    for problem in answer["problems"]:
        print(plain(f"  {problem}"))
    rules = answer["rules"]
    show_table(("rule", "verdict", "numbers", "threshold", "wait"), [_row(rule) for rule in rules])
    for rule in rules:
        if rule["verdict"] != "OFF":
            print(plain(f"{rule['rule']}: {rule['says']}"))
    for one in answer["unexercised"]:
        print(plain(f"not exercised: {_named(one)}"))


def _row(rule: Mapping[str, Any]) -> tuple[object, ...]:
    wait = rule["wait_s"]
    waits = "-" if rule["verdict"] != "WAIT" else "nobody knows" if wait is None else f"about {span(max(wait, 1.0))}"
    return rule["rule"], rule["verdict"], _numbers(rule["numbers"]), _numbers(rule["threshold"]), waits


def _numbers(numbers: Mapping[str, Any]) -> str:
    """`extracted 3 of 600, upper 0.0089`; what is about single routes is left to `--json`."""
    return ", ".join(_pairs(numbers)) or "-"


def _pairs(numbers: Mapping[str, Any]) -> Iterator[str]:
    for name, value in numbers.items():
        if isinstance(value, Mapping) and value.keys() == {"failed", "of"}:
            yield f"{name} {value['failed']} of {value['of']}"
        elif isinstance(value, int | float):
            yield f"{name} {value:g}"


def _named(one: Mapping[str, Any]) -> str:
    """`item-read DELETE, which legacy was asked for at …`."""
    what = " ".join(str(one[name]) for name in ("route", "method", "status", "role") if name in one)
    return f"{what}, last on legacy {one['last_legacy']}"
