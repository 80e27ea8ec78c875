"""A quarter of a minute of `make chaos`, with a seed that begins with what needs several gateways."""

import json

import pytest

from tests.faults.chaos.__main__ import chaos

pytestmark = pytest.mark.connected
SEED, DURATION_S = 41149, 15


def test_what_fails_costs_no_request_but_those_in_flight(capsys: pytest.CaptureFixture[str]) -> None:
    code = chaos(DURATION_S, SEED)
    told = capsys.readouterr()
    report = json.loads(told.out.splitlines()[-1])
    assert (code, report["lost"], report["doubled"], report["violations"]) == (0, 0, 0, 0), told
    assert sum(report["events"].values()) > 2
