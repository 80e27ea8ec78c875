"""The Dockerfiles and compose.yaml by their text; tests/images starts them for real."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from chassis.settings import load, revealed
from extracted.account.settings import Settings as Account
from extracted.learning.settings import Settings as Learning
from extracted.mailer.settings import Settings as Mailer
from extracted.runner.settings import Settings as Runner
from extracted.shop.settings import Settings as Shop
from images.build import IMAGES, REGISTRAR
from images.engine import ROOT
from strangler_gateway.identity.signer import open_signer
from strangler_gateway.joined import joined
from strangler_gateway.settings import Settings as Gateway
from strangler_gateway.telemetry.stats import Stats
from tests.support.keycloak.identity import CLIENTS

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SETTINGS: dict[str, type[BaseSettings]] = {
    "gateway": Gateway,
    "gateway-2": Gateway,
    "shop": Shop,
    "account": Account,
    "learning": Learning,
    "mailer": Mailer,
    "runner": Runner,
}

SERVERS = {
    "/run/secrets/database-url": "postgres",
    "mongodb://mongo/": "mongo",
    "/run/secrets/broker-url": "rabbitmq",
    "redis://redis:": "redis",
}
"""What names a server in a service of compose.yaml."""


@pytest.mark.parametrize("dockerfile", sorted({image.dockerfile for image in IMAGES}))
def test_every_image_has_what_docs_deploying_promises(dockerfile: str) -> None:
    text = (ROOT / dockerfile).read_text().replace("\\\n", " ")
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?", text, re.MULTILINE)
    assert {base for base, _ in stages} <= {"python:3.12-slim", *(name for _, name in stages)}
    for wanted in ("USER 10001:10001", "STOPSIGNAL SIGTERM", "HEALTHCHECK ", "ENTRYPOINT [", "CMD ["):
        assert len(re.findall(rf"^\s*{re.escape(wanted)}", text, re.MULTILINE)) >= 1, wanted
    assert ("EXPOSE " in text) == (dockerfile != REGISTRAR.dockerfile)
    assert re.findall(r"^\s*(?:CMD|ENTRYPOINT)(?! \[)|HEALTHCHECK(?!.* CMD \[)", text, re.MULTILINE) == []
    installs = re.findall(r"pip (?:--python \S+ )?(?:install|wheel) (.*)", text)
    assert installs
    assert [line for line in installs if not re.search("--require-hashes|--no-index|--no-build-isolation", line)] == []


def test_every_dockerfile_is_built_by_make_images() -> None:
    others = {".venv", "stand_ins"}  # stand-ins for servers of other registries
    found = {str(path.relative_to(ROOT)) for path in ROOT.glob("*/**/Dockerfile") if not others & {*path.parts}}
    assert found | {"Dockerfile"} == {image.dockerfile for image in IMAGES}


@pytest.mark.parametrize("service", SETTINGS)
def test_compose_sets_only_what_the_service_reads(service: str) -> None:
    settings = SETTINGS[service]
    prefix = settings.model_config.get("env_prefix", "")
    known = {f"{prefix}{name}".upper() for name in settings.model_fields}
    given = {name.removesuffix("_FILE") for name in COMPOSE["services"][service]["environment"]}
    own = {name for name in given if name.startswith(prefix)} - {"STRANGLER_ADMIN_TOKEN"}
    assert own <= known
    assert own


def switched_on_by(name: str) -> Mapping[str, str]:
    """The variables of a file for `--env-file`."""
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def environment(service: str, given: Mapping[str, str], secrets: Path) -> Mapping[str, str]:
    """What compose gives to a service, with its `${X:-default}` and `${X:+value}`."""

    def value(match: re.Match[str]) -> str:
        name, how, text = match.groups()
        return (text if how == "+" else given[name]) if name in given else (text if how == "-" else "")

    raw = COMPOSE["services"][service]["environment"].items()
    filled = {name: re.sub(r"\$\{(\w+):([-+])([^}]*)\}", value, str(text)) for name, text in raw}
    return {name: text.replace("/run/secrets", str(secrets)) for name, text in filled.items()}


def new_secrets(folder: Path) -> Path:
    subprocess.run(["sh", str(ROOT / "deploy/new-secrets.sh"), str(folder)], check=True)
    return folder


async def nothing_counted(units: Sequence[str]) -> Mapping[str, Any]:
    """It serves nobody."""
    return {}


async def test_the_two_gateways_of_compose_find_each_other_with_the_file_that_switches_them_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = switched_on_by("deploy/gateways.env")
    new_secrets(tmp_path)
    found, as_in_the_image = [], dict[str, Any](admin_host="0.0.0.0")
    for service in ("gateway", "gateway-2"):
        for name, value in environment(service, given, tmp_path).items():
            monkeypatch.setenv(name, value)
        settings = Gateway(**as_in_the_image)
        signer = open_signer(revealed(settings.signing_key), tmp_path)
        made = joined(settings, signer, Stats(), nothing_counted, lambda asked: {})
        assert made is not None
        found.append((made.members.me.name, settings.advertise, made.store.address, revealed(settings.redis_url)))
        await made.aclose()
    assert found == [
        ("gateway", "http://gateway:8081", "consul:8500", "redis://redis:6379/0"),
        ("gateway-2", "http://gateway-2:8081", "consul:8500", "redis://redis:6379/0"),
    ]
    names = given["COMPOSE_PROFILES"]
    assert {name for name, one in COMPOSE["services"].items() if names in one.get("profiles", ())} == {
        "gateway-2",
        "consul",
    }


@pytest.mark.parametrize(("name", "at_keycloak"), [("deploy/gateways.env", False), ("deploy/identity.env", True)])
def test_users_log_in_at_keycloak_with_the_file_that_switches_it_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, at_keycloak: bool
) -> None:
    given = switched_on_by(name)
    for variable, value in environment("account", given, new_secrets(tmp_path)).items():
        monkeypatch.setenv(variable, value)
    account = load(Account)
    assert (account.logs_in_at_keycloak, account.sells) == (at_keycloak, True)
    keycloak = COMPOSE["services"]["keycloak"]
    assert account.keycloak_url == (keycloak["environment"]["KC_HOSTNAME"] if at_keycloak else None)
    gateway = environment("gateway", given, tmp_path)
    assert (gateway["KEYCLOAK_ENABLED"], gateway["KEYCLOAK_URL"]) == (
        str(at_keycloak).lower(),
        keycloak["environment"]["KC_HOSTNAME"],
    )
    assert ({*keycloak["profiles"]} <= {given["COMPOSE_PROFILES"]}) == at_keycloak


def needs(service: str) -> set[tuple[str, str]]:
    """(service, condition) of all that has to be before it."""
    direct = {name: one["condition"] for name, one in COMPOSE["services"][service].get("depends_on", {}).items()}
    return {*direct.items()}.union(*(needs(name) for name in direct))


@pytest.mark.parametrize("service", [name for name, one in COMPOSE["services"].items() if "build" in one])
def test_compose_starts_a_service_when_its_servers_are_healthy_and_its_tables_made(service: str) -> None:
    told = yaml.safe_dump(COMPOSE["services"][service])
    wanted = {(server, "service_healthy") for mark, server in SERVERS.items() if mark in told}
    if f"{service}-tables" in COMPOSE["services"]:
        wanted.add((f"{service}-tables", "service_completed_successfully"))
    if service.endswith("-tables"):  # it opens the database alone
        wanted = {("postgres", "service_healthy")}
    if service == "realm":
        wanted = {("keycloak", "service_healthy")}
    assert wanted <= needs(service)


def test_compose_gives_more_time_than_a_stop_takes() -> None:
    longest = max(
        Gateway.model_fields["grace_s"].default + Gateway.model_fields["drain_s"].default,
        *(settings.model_fields["grace_s"].default for settings in (Shop, Account, Learning, Mailer, Runner)),
    )
    graces = {int(service["stop_grace_period"].removesuffix("s")) for service in COMPOSE["services"].values()}
    assert min(graces) > longest


def test_compose_confines_every_container() -> None:
    wanted = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
    services = COMPOSE["services"].values()
    assert [service for service in services if not wanted.items() <= service.items()] == []


def test_compose_gives_the_realm_a_secret_for_each_client() -> None:
    script = (ROOT / "deploy/new-secrets.sh").read_text()
    assert {*CLIENTS} < {*COMPOSE["services"]["realm"]["secrets"]} <= COMPOSE["secrets"].keys()
    assert f'clients="{" ".join(CLIENTS)}"' in script
