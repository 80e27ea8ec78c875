"""What Envoy Gateway needs beside the HTTPRoutes: the classes, the Gateway, and Services with the stand-ins behind."""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.support.exported import StandIn

OWN_GROUP, GATEWAY_GROUP = "gateway.envoyproxy.io", "gateway.networking.k8s.io"
CONTROLLER = f"{OWN_GROUP}/gatewayclass-controller"
SYSTEM, NAMESPACE, PARENT = "envoy-gateway-system", "default", "public"
Json = dict[str, Any]


def made(version: str, kind: str, name: str, namespace: str | None = NAMESPACE, **rest: object) -> Json:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata} | rest


def gateway(port: int, envoy_version: str) -> Iterable[Json]:
    """A Gateway with one listener, and the class of Gateways whose Envoy runs on this host.

    Its Envoy has one thread: what answers one request anew answers all.
    """
    host = {"type": "Host", "host": {"envoyVersion": envoy_version}}
    yield made(f"{OWN_GROUP}/v1alpha1", "EnvoyProxy", "host", spec={"provider": host, "concurrency": 1})
    parameters = {"group": OWN_GROUP, "kind": "EnvoyProxy", "name": "host", "namespace": NAMESPACE}
    one_class = {"controllerName": CONTROLLER, "parametersRef": parameters}
    yield made(f"{GATEWAY_GROUP}/v1", "GatewayClass", "here", None, spec=one_class)
    listener = {"name": "http", "protocol": "HTTP", "port": port}
    yield made(f"{GATEWAY_GROUP}/v1", "Gateway", PARENT, spec={"gatewayClassName": "here", "listeners": [listener]})


def paths_as_sent() -> Json:
    """The policy that the export's report asks for."""
    target = {"group": GATEWAY_GROUP, "kind": "Gateway", "name": PARENT}
    path = {"disableMergeSlashes": True, "escapedSlashesAction": "KeepUnchanged"}
    spec = {"targetRefs": [target], "path": path}
    return made(f"{OWN_GROUP}/v1alpha1", "ClientTrafficPolicy", "paths-as-sent", spec=spec)


def services(stands: Mapping[str, StandIn]) -> Iterable[Json]:
    """A Service for each, whose endpoints are a name, because the API server refuses those on loopback."""
    for name, stand in stands.items():
        port = {"name": "http", "port": stand.server_address[1], "protocol": "TCP"}
        yield made("v1", "Service", name, spec={"ports": [port]})
        slice_ = made("discovery.k8s.io/v1", "EndpointSlice", name, addressType="FQDN", ports=[port])
        slice_["metadata"]["labels"] = {"kubernetes.io/service-name": name}
        yield slice_ | {"endpoints": [{"addresses": [f"{name}.localhost"], "conditions": {"ready": True}}]}


def marker(path: str, stands: Mapping[str, StandIn]) -> Json:
    """A route to each service: once these answer, everything that was applied before is served."""
    rules = [
        {
            "matches": [{"path": {"type": "Exact", "value": f"{path}/{name}"}}],
            "backendRefs": [{"name": name, "port": stand.server_address[1]}],
        }
        for name, stand in stands.items()
    ]
    spec = {"parentRefs": [{"name": PARENT}], "rules": rules}
    return made(f"{GATEWAY_GROUP}/v1", "HTTPRoute", "zz-marker", spec=spec)
