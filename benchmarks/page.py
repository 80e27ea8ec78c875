"""What the operators' page costs: `python -m benchmarks.page`. The last line is JSON.

A gateway with 200 routes in 50 groups, under traffic, and a real Chromium (the environment's CHROMIUM names it):
`first_paint_ms` is the median of first-contentful-paint (W3C Paint Timing) of fresh browsers, `sent_kb` what they
loaded, as it was sent. `viewers_core`: the part of a core that the gateway uses more with ten open pages than with
none, in turns.
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from playwright.sync_api import Browser, sync_playwright

from tests.http.gateway_process import GatewayProcess

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
GROUPS, ROUTES, VIEWERS = 50, 4, 10
PAINTS, ROUNDS, SECONDS = 7, 4, 10.0
PER_SECOND = 50
ENDS = "legacy: monolith, extracted: shop"
_PAINT = """() => ({
  paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime,
  sent: performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))
    .reduce((sum, one) => sum + (one.transferSize || 0), 0)})"""


def routes_text() -> str:
    """A service that nobody has started answers nothing; the page costs the same."""
    text = (
        'version: 1\nservices:\n  monolith: {url: "http://127.0.0.1:9"}\n  shop: {url: "http://127.0.0.1:9"}\ngroups:\n'
    )
    text += "".join(f"  group{number}: {{state: legacy}}\n" for number in range(GROUPS)) + "routes:\n"
    for number in range(GROUPS * ROUTES):
        match = f'match: {{methods: [GET], path: "/route{number}/{{id}}"}}'
        text += f"  - {{id: route{number}, group: group{number % GROUPS}, {match}, {ENDS}}}\n"
    return text + '  - {id: rest, match: {path: "/{rest...}"}, legacy: monolith}\n'


@contextmanager
def traffic(port: int) -> Iterator[None]:
    """Requests to all routes, one after another, PER_SECOND."""
    over = threading.Event()

    def run() -> None:
        connection, number = HTTPConnection("127.0.0.1", port), 0
        while not over.wait(1 / PER_SECOND):
            number += 1
            connection.request("GET", f"/route{number % (GROUPS * ROUTES)}/1")
            connection.getresponse().read()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def painted(browser: Browser, url: str) -> dict[str, float]:
    """Of one fresh browser: milliseconds to the first paint, bytes as they were sent."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{url}/ui", wait_until="load")
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")
    found: dict[str, float] = page.evaluate(_PAINT)
    context.close()
    return found


def used(process: psutil.Process) -> float:
    """Seconds of CPU within SECONDS."""
    before = sum(process.cpu_times()[:2])
    time.sleep(SECONDS)
    return float(sum(process.cpu_times()[:2]) - before)


def viewers_core(browser: Browser, gateway: GatewayProcess, url: str) -> float:
    """The median over ROUNDS of turns with and without viewers."""
    process, found = psutil.Process(gateway.process.pid), []
    for _ in range(ROUNDS):
        alone = used(process)
        contexts = [browser.new_context() for _ in range(VIEWERS)]
        for context in contexts:
            context.new_page().goto(f"{url}/ui")
        time.sleep(2)
        found.append((used(process) - alone) / SECONDS)
        for context in contexts:
            context.close()
        time.sleep(2)
    return median(found)


def measured(folder: Path) -> dict[str, Any]:
    path = folder / "routes.yaml"
    path.write_text(routes_text())
    gateway = GatewayProcess(path, folder / "state", {"STRANGLER_GRACE_S": "0"})
    url = f"http://127.0.0.1:{gateway.admin_port}"
    try:
        with sync_playwright() as playwright, traffic(gateway.port):
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            paints = [painted(browser, url) for _ in range(PAINTS)]
            core = viewers_core(browser, gateway, url)
            browser.close()
    finally:
        gateway.stop()
    return {
        "routes": GROUPS * ROUTES,
        "first_paint_ms": round(median(one["paint"] for one in paints), 1),
        "sent_kb": round(median(one["sent"] for one in paints) / 1000, 1),
        "viewers": VIEWERS,
        "viewers_core": round(core, 4),
    }


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-page-") as folder:
        result = measured(Path(folder))
    print(f"first paint {result['first_paint_ms']} ms, {result['sent_kb']} KB sent; ", end="")
    print(f"{VIEWERS} viewers use {result['viewers_core'] * 100:.1f} % of a core more")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
