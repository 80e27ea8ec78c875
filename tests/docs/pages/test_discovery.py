"""The example of docs/discovery.md, on a Consul with TLS and with ACLs that deny everything else."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from chassis.consul.client import Consul
from chassis.consul.settings import ConsulSettings
from chassis.consul.values import ConsulFailed, ConsulRefused
from parts.ports import free_port
from parts.servers import consul as part
from tests.docs.commands import ROOT, boxes
from tests.http.certificates import Authority
from tests.http.gateway_process import GatewayProcess
from tests.support.gateway.many import KEY, OPERATOR, Side
from tests.support.system.waiting import until

pytestmark = pytest.mark.connected
PAGE = "docs/discovery.md"
MANAGEMENT = "management-token"
AGENT = "consul://127.0.0.1:8500"
"""As the page says it."""


def boxes_of(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", (ROOT / PAGE).read_text(), re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Secured:
    """`tokens`: files, of the page's two policies."""

    url: str
    ca: Path
    gateway_token: Path
    registrar_token: Path

    def environ(self, prefix: str, token: Path) -> Mapping[str, str]:
        names = {"URL": self.url, "CA_FILE": str(self.ca), "TOKEN_FILE": str(token)}
        return {f"{prefix}_CONSUL_{name}": value for name, value in names.items()}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    authority, port = Authority(folder, "consul"), free_port()
    pair = authority.issue("localhost")
    more = {
        "ports": {"https": port},
        "cert_file": str(pair.cert),
        "key_file": str(pair.key),
        "acl_datacenter": "dc1",
        "acl_master_token": MANAGEMENT,
        "acl_agent_token": MANAGEMENT,
        "acl_default_policy": "deny",
        "acl_enforce_version_8": True,
    }
    with part.own(folder, more, MANAGEMENT) as server:
        gateway, registrar = boxes_of("hcl")
        files = [_token(server, folder / name, rules) for name, rules in (("gw", gateway), ("registrar", registrar))]
        yield Secured(f"consul+https://localhost:{port}", authority.file, *files)


def _token(server: part.ConsulServer, file: Path, policy: str) -> Path:
    """With this policy. In the language of 2017 each name was a prefix."""
    body = {"Name": file.name, "Type": "client", "Rules": policy.replace("_prefix", "")}
    fields = {"X-Consul-Token": MANAGEMENT}
    answer = httpx.put(f"{server.url}/v1/acl/create", json=body, headers=fields, timeout=10, trust_env=False)
    file.write_text(answer.raise_for_status().json()["ID"])
    return file


def test_registrar_and_gateway_work_with_the_smallest_policies(secured: Secured, tmp_path: Path) -> None:
    monolith, shop = Side("monolith"), Side("shop")
    (line,) = boxes_of("json")
    (tmp_path / "instances.jsonl").write_text(
        line.replace("10.0.0.1", "127.0.0.1").replace("8102", str(shop.server_port))
    )
    (routes,) = boxes_of("yaml")
    (tmp_path / "routes.yaml").write_text(routes.replace("3000", str(monolith.server_port)))
    environ = {
        **secured.environ("STRANGLER", secured.gateway_token),
        "STRANGLER_STORE": "consul",
        "STRANGLER_SIGNING_KEY": KEY,
        "STRANGLER_OPERATOR_TOKEN": OPERATOR,
        "STRANGLER_MEMBER": "gw:1",
    }
    registrar = _registrar(tmp_path, secured)
    gateway = GatewayProcess(tmp_path / "routes.yaml", tmp_path / "state", environ)
    admin, fields = f"http://127.0.0.1:{gateway.admin_port}", {"Authorization": f"Bearer {OPERATOR}"}
    with httpx.Client(trust_env=False, timeout=30, headers=fields) as client:
        try:
            services = f"{admin}/services"
            until(lambda: client.get(services).json()["services"][1]["instances"], "the instance is discovered")
            asked = f"http://127.0.0.1:{gateway.port}/items/1"
            assert client.get(asked).json() == {"side": "monolith"}  # nobody has decided anything yet
            assert client.post(f"{admin}/adopt", json={"unit": "items", "who": "a test"}).json()["done"]
            assert client.get(asked).json() == {"side": "shop"}
            metrics = client.get(f"{admin}/metrics").text.splitlines()
            assert {"strangler_store_reachable 1", "strangler_store_gateways 1"} <= set(metrics)
            known = client.get(f"{admin}/gateways").json()
            assert [(one["name"], known["store"]["away_since"]) for one in known["gateways"]] == [("gw:1", None)]
        finally:
            registrar.terminate()
            assert registrar.wait(20) == 0
            gateway.process.kill()
            gateway.stop()
            for side in (monolith, shop):
                side.shutdown()
                side.server_close()


def _registrar(folder: Path, secured: Secured) -> subprocess.Popen[bytes]:
    """The command of the page, with TLS and a token."""
    (command,) = boxes(PAGE)
    assert AGENT in command
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    environ |= secured.environ("REGISTRAR", secured.registrar_token)
    return subprocess.Popen(
        ["bash", "-euc", "exec env " + command.replace(AGENT, secured.url).strip()], cwd=folder, env=environ
    )


async def test_the_policies_allow_nothing_else(secured: Secured) -> None:
    consul = Consul(ConsulSettings(secured.url, token_file=secured.gateway_token, ca_file=secured.ca))
    try:
        with pytest.raises(ConsulRefused, match="token is unknown, or its policy does not allow this"):
            await consul.put("elsewhere", b"")
    finally:
        consul.close()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"TOKEN": "wrong"}, "403: ACL not found (the ACL token is unknown, or its policy does not allow this)"),
        ({"CA": "other"}, "unable to get local issuer certificate; set the CA file that has signed it"),
        ({"HOST": "127.0.0.1"}, "its certificate is not trusted: IP address mismatch"),
    ],
)
async def test_what_is_wrong_is_told(secured: Secured, tmp_path: Path, change: dict[str, str], sentence: str) -> None:
    url = secured.url.replace("localhost", change.get("HOST", "localhost"))
    ca = Authority(tmp_path, "other").file if "CA" in change else secured.ca
    token = change.get("TOKEN") or secured.gateway_token.read_text()
    consul = Consul(ConsulSettings(url, token=token, ca_file=ca))
    try:
        with pytest.raises(ConsulFailed) as failed:
            await consul.instances("shop")
        assert sentence in str(failed.value)
        assert token not in str(failed.value)
    finally:
        consul.close()
