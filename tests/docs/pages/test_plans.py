"""docs/plans.md: its plan of seconds goes as far as it says, and its commands work."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from strangler_gateway.config.checks.check import check_text
from tests.docs.commands import ROOT, boxes
from tests.http.gateway_process import GatewayProcess
from tests.support.gateway.many import Side
from tests.support.system.waiting import until

PAGE = (ROOT / "docs/plans.md").read_text(encoding="utf-8")
EXAMPLES = [box for box in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if "version: 1" in box]
TOKEN = "operator-secret-1"


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_served_without_a_warning(example: str) -> None:
    report = check_text(example, {})
    assert (report.faults, report.warnings) == ((), ())


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with Side("same") as monolith, Side("same") as shop:
        text = EXAMPLES[1].replace(":3000", f":{monolith.server_port}").replace(":8102", f":{shop.server_port}")
        (tmp_path / "routes.yaml").write_text(text)
        running = GatewayProcess(tmp_path / "routes.yaml", tmp_path / "state", {"STRANGLER_OPERATOR_TOKEN": TOKEN})
        yield running
        running.process.terminate()
        running.process.wait(20)


@pytest.mark.walk
def test_the_plan_of_seconds_stops_before_extracted_and_goes_on_when_it_is_approved(gateway: GatewayProcess) -> None:
    admin = f"http://127.0.0.1:{gateway.admin_port}"
    environ = {**os.environ, "STRANGLER_ADMIN_URL": admin, "STRANGLER_ADMIN_TOKEN": TOKEN}
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"

    def paste(box: str) -> str:
        command = ["bash", "-euo", "pipefail", "-c", box]
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=240, check=True).stdout

    with httpx.Client(trust_env=False, timeout=10) as client:

        def plan() -> dict[str, object]:
            for user in range(20):
                url = f"http://127.0.0.1:{gateway.port}/items/1"
                client.get(url, headers={"X-User": str(user)}).raise_for_status()
            headers = {"Authorization": f"Bearer {TOKEN}"}
            found: dict[str, object] = client.get(f"{admin}/plans/items", headers=headers).json()
            return found

        look, act = boxes("docs/plans.md")
        until(lambda: "an operator" in str(plan()["says"]), "the plan asks for an approval", within_s=60)
        assert "extracted needs the approval" in paste(look)
        assert "paused: freeze of the week" in paste(act)
        until(lambda: plan()["state"] == "extracted", "the plan goes on", within_s=60)
