"""What `make bench-runner` measures works: both sides run the same, and a failed job ends the measurement."""

import httpx
import pytest

from benchmarks.runner.__main__ import READ, ROUNDS, started, succeeded
from benchmarks.runner.bare import hello_ms


def test_each_language_runs_bare_and_in_the_runner() -> None:
    with started("plain") as (runner, _url):
        for number, language in enumerate(ROUNDS):
            assert hello_ms(language, number) > 0
            assert runner.ms(language) > 0
        assert runner.ms("RUST", 10, READ) > 0


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(429, json={"error": "too many jobs wait"}),
        httpx.Response(200, json={"results": [{"status": "ok"}, {"status": "time_limit"}]}),
    ],
)
def test_a_job_that_fails_is_not_measured(answer: httpx.Response) -> None:
    with pytest.raises(RuntimeError, match="a job of the benchmark failed"):
        succeeded(answer)
