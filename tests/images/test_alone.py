"""Each image by itself: what it holds, and the gateway for another monolith."""

import os
import stat
from pathlib import Path

import httpx
import pytest

from images.build import EXAMPLE_SERVICE, EXAMPLES, GATEWAY, IMAGES, PLAIN_GATEWAY, REGISTRAR, RUNNER, SERVICES, Image
from images.engine import Engine
from images.pip_settings import HOME
from tests.images.containers import HARDENED, started

pytestmark = pytest.mark.images

DEVELOPMENT = ("gcc", "cc", "pytest", "mypy", "ruff", "uv", "hatchling")
ROUTES = """version: 1
services:
  monolith: {url: "http://127.0.0.1:9"}
groups:
  all: {state: legacy}
routes:
  - {id: everything, match: {path: "/{rest...}"}, legacy: monolith}
"""
PRINTED = {
    "PYTHON": "print('hello')",
    "NODE": "console.log('hello')",
    "JAVA": 'class Main { public static void main(String[] a) { System.out.println("hello"); } }',
    "RUST": 'fn main() { println!("hello"); }',
}
HELP = {EXAMPLES: ["examples.monolith", "--help"]}
# Docker has no folder that can be written to under --read-only; Podman has some unless this is said.
STRICTLY = {"podman": ["--read-only-tmpfs=false"], "docker": []}
LISTED = """
import importlib.metadata, os, shutil, sys
print(*(d.name for d in importlib.metadata.distributions() if d.locate_file("").is_relative_to("/opt/venv")))
print(*(p for p in sys.argv[1:] if shutil.which(p)))
print(*(os.path.join(f, n) for top in ("/app", "/opt/venv") for f, _, names in os.walk(top) for n in names
        if top == "/app" and n.startswith("test_")))
"""


@pytest.mark.parametrize("image", [image.name for image in IMAGES])
def test_an_image_holds_no_development_tool_and_no_test(engine: Engine, image: str) -> None:
    options = ("--rm", "--network=none", "--entrypoint=python", *HARDENED)
    distributions, programs, tests = engine.run("run", *options, image, "-c", LISTED, *DEVELOPMENT).split("\n")[:3]
    assert "pydantic" in distributions.split()
    assert {*DEVELOPMENT, "pip", "setuptools"} & {*distributions.split()} == set()
    assert {*programs.split()} <= ({"gcc", "cc"} if image == RUNNER.name else set())  # the linker of Rust
    assert tests == ""


@pytest.mark.parametrize("image", [image.name for image in IMAGES])
def test_an_image_shows_nothing_of_the_machine_that_built_it(engine: Engine, image: str) -> None:
    history = engine.run("history", "--no-trunc", image) + engine.run("image", "inspect", image)
    own = [os.environ[name] for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "SSL_CERT_FILE") if name in os.environ]
    assert [value for value in own if value in history] == []
    settings = ("/etc/pip.conf", f"{HOME}/.config", f"{HOME}/.cache")
    options = ("--rm", "--network=none", "--entrypoint=ls", "--user=0")
    assert [path for path in settings if engine.succeeds("run", *options, image, "-d", path)] == []


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_an_image_needs_no_shell(engine: Engine, image: Image) -> None:
    hidden = [f"--volume=/dev/null:/usr/bin/{shell}:ro" for shell in ("dash", "bash")]
    without = ("run", "--rm", "--network=none", *hidden, *HARDENED)
    assert not engine.succeeds(*without, "--entrypoint=sh", image.name, "-c", "exit 0")
    assert "usage" in engine.run(*without, image.name, *HELP.get(image, ["--help"])).lower()
    if image in SERVICES:
        assert "polycode" in engine.run(*without, "--entrypoint=polycode", image.name, "--help")


@pytest.mark.parametrize("image", [GATEWAY.name, PLAIN_GATEWAY.name])
def test_the_gateway_is_compiled(engine: Engine, image: str) -> None:
    code = "import strangler_gateway.server.connection as connection; print(connection.__file__)"
    options = ("--rm", "--network=none", "--entrypoint=python", *HARDENED)
    assert engine.run("run", *options, image, "-c", code).strip().endswith(".so")


def test_the_plain_gateway_serves_a_mounted_file_and_writes_flips_into_it(engine: Engine, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "routes.yaml").write_text(ROUTES)
    (config / "token").write_text("an-operators-token-for-the-test")
    config.chmod(stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)
    options = [
        *STRICTLY[engine.command],
        *("--publish=127.0.0.1::8080", f"--volume={config}:/etc/strangler"),
        "--env=STRANGLER_OPERATOR_TOKEN_FILE=/etc/strangler/token",
        "--env=STRANGLER_ADMIN_TOKEN_FILE=/etc/strangler/token",
    ]
    with started(engine, PLAIN_GATEWAY.name, *options) as gateway:
        gateway.becomes_healthy()
        answer = httpx.get(f"http://127.0.0.1:{gateway.port(8080)}/", trust_env=False)
        assert (answer.status_code, "connection_refused" in answer.headers["Proxy-Status"]) == (502, True)
        gateway.execute("strangler", "flip", "all", "--to", "canary", "--why", "a test", "--force", "--share", "1")
        assert "state: canary" in (config / "routes.yaml").read_text()
        assert gateway.stop() == 0


def test_the_plain_gateway_without_a_file_says_what_is_missing(engine: Engine) -> None:
    with started(engine, PLAIN_GATEWAY.name) as gateway:
        assert engine.run("wait", gateway.id).strip() not in ("", "0")
        assert "/etc/strangler/routes.yaml" in gateway.log()


def test_the_example_service_starts(engine: Engine) -> None:
    environ = "--env=SERVICE_JWKS_URL=http://gateway:8081/.well-known/jwks.json"
    with started(engine, EXAMPLE_SERVICE.name, *STRICTLY[engine.command], environ) as service:
        service.becomes_healthy()
        assert service.stop() == 0


def test_the_registrar_is_healthy_while_consul_is_away_and_ends_at_sigterm(engine: Engine, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "instances.jsonl").write_text("")
    options = (
        "--tmpfs=/tmp",
        f"--volume={tmp_path}:/etc/registrar:ro",
        "--env=REGISTRAR_CONSUL_URL=consul://127.0.0.1:9",
    )
    with started(engine, REGISTRAR.name, *options) as registrar:
        registrar.becomes_healthy()
        assert "127.0.0.1:9" in registrar.log()
        assert registrar.stop() == 0


def test_the_runner_runs_every_language_in_a_confined_container(engine: Engine) -> None:
    options = ("--tmpfs=/tmp:exec,size=512m,mode=1777", "--env=RUNNER_INTERNAL_TOKEN=of-this-test-alone")
    with started(engine, RUNNER.name, *options, "--publish=127.0.0.1::8105") as runner:
        runner.becomes_healthy()
        headers = {"Authorization": "Bearer of-this-test-alone"}
        url = f"http://127.0.0.1:{runner.port(8105)}"
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
            for language, source in PRINTED.items():
                answer = client.post("/jobs", json={"language": language, "source": source, "inputs": [{"stdin": []}]})
                assert [one["stdout"] for one in answer.json()["results"]] == ["hello\n"], answer.text
