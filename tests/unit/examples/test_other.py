"""The gateway is generic: its wheel alone migrates a route of another monolith."""

import asyncio
import html
import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from examples.demo.environment import inherited
from examples.demo.processes import LaunchedProcess, Launcher
from parts.ports import free_port
from strangler_gateway.table.bucket import bucket
from tests.support.wheel import CleanEnvironment, build_wheel, clean_environment

ROOT = Path(__file__).parents[3]
DEBUG_TOKEN = "a-debug-token-of-this-test"
OPERATOR_TOKEN = "an-operator-token-of-this-test"
OF_EXTRAS = ("sqlalchemy", "alembic", "asyncpg", "aiormq")
"""Libraries that some modules of the chassis need, and none of the gateway."""
IMPORT_ALL = f"""
import importlib, pkgutil, strangler_gateway, chassis
for package in (strangler_gateway, chassis):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if package is strangler_gateway or error.name.partition(".")[0] not in {OF_EXTRAS}:
                raise
"""


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, f"{done.args}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> CleanEnvironment:
    return clean_environment(tmp_path_factory.mktemp("clean"))


def test_the_wheel_holds_the_gateway_and_the_chassis_alone(tmp_path: Path) -> None:
    names = zipfile.ZipFile(build_wheel(tmp_path)).namelist()
    folders = {name.split("/")[0] for name in names}
    assert {folder for folder in folders if not folder.endswith(".dist-info")} == {"strangler_gateway", "chassis"}
    assert {"strangler_gateway/py.typed", "chassis/py.typed"} <= set(names)


@pytest.mark.walk
def test_the_wheel_declares_all_that_it_imports(clean: CleanEnvironment) -> None:
    succeeded(clean.run(sys.executable, "-m", "pip", "--python", clean.python, "check"))
    succeeded(clean.run(clean.python, "-c", IMPORT_ALL))


@pytest.mark.walk
@pytest.mark.parametrize("ours", ["extracted", "legacy_adapter", "examples", "sqlalchemy"])
def test_nothing_of_the_services_comes_with_it(clean: CleanEnvironment, ours: str) -> None:
    assert f"No module named '{ours}'" in clean.run(clean.python, "-c", f"import {ours}").stderr


class Reader:
    """A browser with cookies, forms and redirects. `shelf` returns the page and the reason for its side."""

    def __init__(self, url: str) -> None:
        self._http = httpx.AsyncClient(base_url=url, follow_redirects=True, trust_env=False, timeout=10)

    async def __aenter__(self) -> "Reader":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def log_in(self, name: str, password: str) -> "Reader":
        assert "Log in" in (await self._http.get("/login")).text
        page = await self._http.post("/login", data={"name": name, "password": password})
        assert f"<h1>{name}</h1>" in page.text
        return self

    async def add(self, title: str) -> None:
        assert html.escape(title) in (await self._http.post("/shelf", data={"title": title})).text

    async def shelf(self) -> tuple[str, str]:
        page = await self._http.get("/shelf", headers={"Strangler-Debug": DEBUG_TOKEN})
        return page.text, page.headers["Strangler-Decision"].split(";")[1].strip()


def write_routes(clean: CleanEnvironment, monolith: LaunchedProcess) -> Path:
    """`strangler init`, from the monolith's own access log."""
    log = clean.folder / "access.log"
    log.write_text(monolith.last_lines())
    succeeded(clean.run(clean.strangler, "init", "--upstream", monolith.url, "--access-log", str(log)))
    return clean.folder / "routes.yaml"


def declare_shelf(file: Path, monolith: LaunchedProcess, service_port: int) -> None:
    """Adds what a person adds to the file of `init`: identity, the service, and the extracted end of one route."""
    yaml = YAML()
    routes: dict[str, Any] = yaml.load(file)
    routes["identity"] = {"introspect": {"url": f"{monolith.url}/whoami", "forward": ["cookie"], "user": "$.user"}}
    routes["services"]["shelf"] = {"url": f"http://127.0.0.1:{service_port}"}
    (shelf,) = [route for route in routes["routes"] if route["match"] == {"methods": ["GET"], "path": "/shelf"}]
    shelf |= {
        "id": "shelf",
        "extracted": "shelf",
        "shadow": {"pure": True},
        "gate": {"min": 1},
        "auth": {"require": "authenticated"},
    }
    yaml.dump(routes, file)


async def start_monolith(launcher: Launcher, clean: CleanEnvironment, database: Path) -> LaunchedProcess:
    """Starts it, and puts a log-in and a read of the shelf into its access log."""
    command = [clean.python, str(ROOT / "examples/other/monolith.py"), str(database)]
    monolith = await launcher.start("monolith", command, inherited())
    async with Reader(monolith.url) as reader:
        await reader.log_in("ada", "byron")
    return monolith


async def start_gateway(launcher: Launcher, clean: CleanEnvironment, routes: Path) -> LaunchedProcess:
    """`strangler serve`, from the wheel."""
    command = [clean.strangler, "serve", "--routes", str(routes), "--port", "0", "--admin-port", "0"]
    tokens = {"STRANGLER_DEBUG_TOKEN": DEBUG_TOKEN, "STRANGLER_OPERATOR_TOKEN": OPERATOR_TOKEN}
    return await launcher.start("gateway", command, inherited() | tokens)


@dataclass(frozen=True)
class Operator:
    """Types `strangler` at a running gateway."""

    clean: CleanEnvironment
    admin_url: str

    async def types(self, *words: str) -> str:
        environ = {"STRANGLER_ADMIN_URL": self.admin_url, "STRANGLER_ADMIN_TOKEN": OPERATOR_TOKEN}
        return succeeded(await asyncio.to_thread(self.clean.run, self.clean.strangler, *words, **environ))

    async def shelf_is_compared(self) -> dict[str, int]:
        """Waits until both readers' pages are compared; returns the counters of shadow."""
        async with asyncio.timeout(60):
            while (shadow := await self._shadow())["compared"] + shadow["different"] < 2:
                await asyncio.sleep(0.1)
        return shadow

    async def _shadow(self) -> dict[str, int]:
        routes = json.loads(await self.types("routes", "--json"))["routes"]
        shadow: dict[str, int] = next(route["shadow"] for route in routes if route["id"] == "shelf")
        return shadow


@pytest.mark.walk
async def test_it_strangles_another_monolith(clean: CleanEnvironment, tmp_path: Path) -> None:
    """init → serve → shadow → canary → rollback; no page changes meanwhile."""
    database, port = tmp_path / "reading.sqlite3", free_port()
    async with Launcher() as launcher:
        monolith = await start_monolith(launcher, clean, database)
        routes = write_routes(clean, monolith)
        declare_shelf(routes, monolith, port)
        gateway = await start_gateway(launcher, clean, routes)
        keys = f"{gateway.admin_url}/.well-known/jwks.json"
        service = [clean.python, str(ROOT / "examples/other/service.py"), str(database), keys, "--port", str(port)]
        await launcher.start("service", service, inherited())
        await strangle(Operator(clean, gateway.admin_url), gateway.url)


async def strangle(operator: Operator, url: str) -> None:
    """Ada's and Alan's pages never change; in canary the service serves one of them."""
    async with Reader(url) as ada, Reader(url) as alan:
        await (await ada.log_in("ada", "byron")).add("Sketch of the <Analytical> Engine")
        await (await alan.log_in("alan", "enigma")).add("On Computable Numbers")
        pages = [(await ada.shelf())[0], (await alan.shelf())[0]]
        assert "Computable" not in pages[0]

        await operator.types("flip", "shelf", "--to", "shadow", "--why", "a first look")
        assert [await ada.shelf(), await alan.shelf()] == [(page, "state_shadow") for page in pages]
        assert (await operator.shelf_is_compared())["different"] == 0

        share = share_between("shelf", "ada", "alan")
        await operator.types("flip", "shelf", "--to", "canary", "--share", f"{share:g}", "--why", "no differences")
        answers = [await ada.shelf(), await alan.shelf()]
        assert [page for page, _ in answers] == pages
        assert sorted(reason for _, reason in answers) == ["share_in", "share_out"]
        await ada.add("added while in canary")
        assert "added while in canary" in (await ada.shelf())[0]

        await operator.types("rollback", "shelf")
        assert {(await ada.shelf())[1], (await alan.shelf())[1]} == {"state_legacy"}


def share_between(salt: str, one: str, other: str) -> float:
    """The share at which exactly one of the two users is on the extracted side."""
    return (min(bucket(salt, user.encode()) for user in (one, other)) + 1) / 100
