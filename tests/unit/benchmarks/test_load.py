"""The loads, with wrk and without."""

from itertools import islice

import pytest

from benchmarks.common import load, processes
from benchmarks.common.generator import varied
from benchmarks.common.load import Generator, Load, parse_wrk

REPORT = """Running 2s test @ http://127.0.0.1:1/item/1
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.31ms  812.00us  14.02ms   90.10%
    Req/Sec    48.92k     3.02k   53.00k    70.00%
  Latency Distribution
     50%  900.00us
     75%    1.35ms
     90%    1.90ms
     99%    1.20s{pad}
  97436 requests in 2.00s, 120.00MB read
{faults}Requests/sec:  48712.34
Transfer/sec:     60.00MB
"""


def test_the_report_of_wrk_is_read_in_milliseconds_whatever_its_units() -> None:
    assert parse_wrk(REPORT.format(faults="", pad=" ")) == Load(97436, 48712.34, 0.9, 1200.0, 0)


def test_every_kind_of_error_that_wrk_reports_is_counted() -> None:
    faults = "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 100\n"
    assert parse_wrk(REPORT.format(faults=faults, pad=" ")).errors == 110


def test_what_is_no_report_is_refused() -> None:
    with pytest.raises(ValueError, match="not a report"):
        parse_wrk("unable to connect to 127.0.0.1:1 Connection refused")


def test_without_wrk_a_generator_in_python_takes_its_place(origin_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "find_program", lambda _name: None)
    generator = Generator()
    seen = generator.run(origin_port, "/item/1", [("X-A", "b")], 4, 1.0)
    assert generator.name == "python"
    assert seen.requests > 0
    assert seen.errors == 0
    assert 0 < seen.p50_ms <= seen.p99_ms


@pytest.mark.parametrize("wrk", [True, False], ids=["wrk", "python"])
def test_the_varied_load_is_answered_too(origin_port: int, monkeypatch: pytest.MonkeyPatch, wrk: bool) -> None:
    if not wrk:
        monkeypatch.setattr(load, "find_program", lambda _name: None)
    elif processes.find_program("wrk") is None:
        pytest.skip("wrk is not installed")
    seen = Generator().run(origin_port, "/item/1", [("X-A", "b")], 4, 1.0, varied=True)
    assert seen.requests > 0
    assert seen.errors == 0


def test_no_two_varied_requests_share_target_user_agent_or_referer() -> None:
    heads = [request.split(b"\r\n") for request in islice(varied("http://localhost:1/item/1", ["X-A: 5%"]), 3)]
    assert all(lines[1:3] == [b"Host: localhost:1", b"X-A: 5%"] for lines in heads)
    assert all(len({lines[at] for lines in heads}) == 3 for at in (0, 3, 4))


def test_the_generator_counts_lost_connections_as_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "find_program", lambda _name: None)
    with pytest.raises(RuntimeError, match="ended with 1"):
        Generator().run(1, "/", [], 1, 0.1)
