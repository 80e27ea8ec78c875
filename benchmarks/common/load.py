"""The loads: GETs over keep-alive connections, the next one as soon as one is answered.

One repeats its request. The other, varied, sends what browsers send: no two requests are the same.
"""

import json
import math
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE

from benchmarks.common.processes import find_program, launch

Fields = Sequence[tuple[str, str]]
BROWSER: Fields = (
    ("Accept", "application/json, text/plain, */*"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Accept-Language", "en-GB,en;q=0.9"),
    ("Origin", "http://localhost:3000"),
    ("Sec-Fetch-Mode", "cors"),
)
"""What a varied request has besides its own query, User-Agent and Referer."""
_VARIED = Path(__file__).with_name("varied.lua")
_USERS = Path(__file__).with_name("users.lua")
_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}


@dataclass(frozen=True, slots=True)
class Load:
    """One run's result. `errors`: answers other than 2xx or 3xx, and failed connections, reads and writes."""

    requests: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    errors: int = 0


class Generator:
    """wrk if it is installed; otherwise one in Python, which is too slow to show how fast the fastest proxies are."""

    def __init__(self) -> None:
        self._wrk = find_program("wrk")

    @property
    def name(self) -> str:
        return "wrk" if self._wrk else "python"

    def run(
        self, port: int, target: str, fields: Fields, connections: int, seconds: float, varied: bool = False
    ) -> Load:
        """Loads 127.0.0.1:port for `seconds` (integers with wrk), from the caller's core."""
        url = f"http://127.0.0.1:{port}{target}"
        headers = [f"{name}: {value}" for name, value in (*fields, *(BROWSER if varied else ()))]
        if self._wrk is None:
            return _run_python(url, headers, connections, seconds, varied)
        options = [f"-c{connections}", f"-d{max(1, math.ceil(seconds))}s", "-t1", "--latency", "--timeout", "10s"]
        for header in headers:
            options += ["-H", header]
        if varied:
            options += ["-s", str(_VARIED)]
        return parse_wrk(output_of([self._wrk, *options, url], seconds))

    def of_users(self, port: int, target: str, tokens: Path, connections: int, seconds: float) -> Load:
        """Each request with the next token of a file (none: without one). Needs wrk."""
        assert self._wrk is not None  # whoever asks has looked at `name`
        options = [f"-c{connections}", f"-d{max(1, math.ceil(seconds))}s", "-t1", "--latency", "--timeout", "10s"]
        command = [self._wrk, *options, "-s", str(_USERS), f"http://127.0.0.1:{port}{target}", "--", str(tokens)]
        return parse_wrk(output_of(command, seconds))


def _run_python(url: str, headers: list[str], connections: int, seconds: float, varied: bool) -> Load:
    command = [sys.executable, "-m", "benchmarks.common.generator", url, str(connections), str(seconds)]
    command += [*(["--varied"] if varied else []), *headers]
    return Load(**json.loads(output_of(command, seconds)))


def output_of(command: list[str], seconds: float) -> str:
    """What a load of `seconds` prints; its process never outlives this call. Raises RuntimeError."""
    with ExitStack() as closing:
        process = launch(closing, command, PIPE, PIPE)
        output, errors = (text.decode() for text in process.communicate(timeout=seconds + 30))
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {output[-300:]}{errors[-300:]}")
    return output


def parse_wrk(text: str) -> Load:
    """Reads the report of `wrk --latency`. Raises ValueError if it is something else."""
    total = re.search(r"(\d+) requests in ", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if not total or not rate:
        raise ValueError(f"not a report of wrk: {text[-300:]!r}")
    return Load(int(total[1]), float(rate[1]), _percentile(text, 50), _percentile(text, 99), _errors(text))


def _percentile(text: str, percent: int) -> float:
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE)
    if not found:
        raise ValueError(f"wrk reported no {percent}th percentile: {text[-300:]!r}")
    return float(found[1]) * _MS[found[2]]


def _errors(text: str) -> int:
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    return (int(refused[1]) if refused else 0) + (sum(map(int, sockets.groups())) if sockets else 0)
