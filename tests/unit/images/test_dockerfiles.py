"""The Dockerfiles and compose.yaml by their text; tests/images starts them for real."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from chassis.settings import revealed
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
    others = {".venv", "cluster"}  # cluster/: stand-ins for servers, of make test-cluster alone
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


async def nothing_counted(units: Sequence[str]) -> Mapping[str, Any]:
    """It serves nobody."""
    return {}


async def test_the_two_gateways_of_compose_find_each_other_with_the_file_that_switches_them_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (ROOT / "deploy/gateways.env").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    subprocess.run(["sh", str(ROOT / "deploy/new-secrets.sh"), str(tmp_path)], check=True)
    found, as_in_the_image = [], dict[str, Any](admin_host="0.0.0.0")
    for service in ("gateway", "gateway-2"):
        for name, raw in COMPOSE["services"][service]["environment"].items():
            value = re.sub(r"\$\{(\w+):-\}", lambda match: given[match[1]], str(raw))
            monkeypatch.setenv(name, value.replace("/run/secrets", str(tmp_path)))
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
        "redis",
    }


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
