"""`strangler export`: what it prints and refuses."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from strangler_gateway.cli.app import app
from tests.support.one_answer import answering

ROUTES = Path(__file__).parents[5] / "routes.yaml"
RUNNER = CliRunner()


def run(*words: str, code: int = 0) -> str:
    result = RUNNER.invoke(app, ["export", *words])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "routes.yaml").write_text(ROUTES.read_text().replace("state: legacy", "state: canary, share: 12.5"))
    return tmp_path / "routes.yaml"


@pytest.mark.parametrize("target", ["httproute", "envoy", "nginx", "consul"])
def test_the_text_begins_with_what_the_target_cannot_do(target: str, file: Path) -> None:
    if target in ("consul", "httproute"):  # they replace no path for a share of the requests
        file.write_text(file.read_text().replace("platform: {state: canary, share: 12.5", "platform: {state: legacy"))
    report = run(target, str(file), "--report").splitlines()
    text = run(target, str(file)).splitlines()
    assert text[1 : len(report) + 1] == [f"# {line}" for line in report]
    codes = {line.split(":")[0] for line in report[1:]}
    assert {"- buckets", "- anonymous", "- serialize", "- publish", "- aggregate", "- internal_token"} <= codes
    assert "- shadow" not in codes
    assert "- limit" not in codes
    assert {one["code"] for one in json.loads(run(target, str(file), "--json"))["missing"]} == {c[2:] for c in codes}


def test_a_gateway_that_stays_serves_what_no_proxy_can(file: Path) -> None:
    with_gateway = run("envoy", str(file), "--gateway", "http://10.0.0.9:8080")
    clusters = {one["name"] for one in yaml.safe_load(with_gateway)["static_resources"]["clusters"]}
    assert "strangler-gateway" in clusters
    assert "- needs_gateway" in run("envoy", str(file), "--gateway", "http://10.0.0.9:8080", "--report")
    assert 'status": 501' in run("envoy", str(file), "--json")


def test_a_discovered_service_needs_an_address(file: Path) -> None:
    file.write_text(file.read_text().replace('url: "${SHOP_URL:-http://127.0.0.1:8102}"', "discover: consul://shop"))
    assert "--address shop=http://HOST:PORT" in run("nginx", str(file), code=1)
    assert 'server "10.0.0.1:9000";' in run("nginx", str(file), "--address", "shop=http://10.0.0.1:9000")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--listen", "8080"), "wanted HOST:PORT"),
        (("--address", "shop"), "wanted SERVICE=URL"),
        (("--address", "shelf=http://a:1"), "no service is called shelf"),
        (("--gateway", "gateway:80"), "wanted a URL"),
    ],
)
def test_options_that_cannot_be_used(words: tuple[str, ...], says: str, file: Path) -> None:
    assert says in run("envoy", str(file), *words, code=2)


def test_output_goes_to_a_file(file: Path, tmp_path: Path) -> None:
    assert run("nginx", str(file), "--output", str(tmp_path / "nginx.conf")) == ""
    assert (tmp_path / "nginx.conf").read_text() == run("nginx", str(file))


def admin(routes: list[dict[str, object]]) -> bytes:
    body = json.dumps({"routes": routes}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


SERVED: list[dict[str, object]] = [
    {"unit": "items", "state": "extracted", "share": None},
    {"unit": "users", "state": "canary", "share": 12.5},
    {"unit": "of-a-newer-file", "state": "extracted", "share": None},
]


def test_states_of_a_running_gateway(file: Path) -> None:
    with answering(admin(SERVED)) as (address, _):
        report = run("envoy", str(file), "--admin", f"http://{address}", "--report")
    (buckets,) = [line for line in report.splitlines() if line.startswith("- buckets")]
    assert "items" not in buckets
    assert "users" in buckets


def test_a_patch_of_what_was_moved(file: Path) -> None:
    with answering(admin(SERVED)) as (address, _):
        text = run("patch", str(file), "--admin", f"http://{address}")
    changed = [line for line in text.splitlines() if line.startswith(("-", "+"))]
    assert changed[:2] == ["--- a/routes.yaml", "+++ b/routes.yaml"]
    assert [line[:20] for line in changed[2:]] == ["-  items: {state: ca", "+  items: {state: ex"]
    assert changed[3].endswith("# the shop's documents")
    assert "--admin" in run("patch", str(file), code=2)
