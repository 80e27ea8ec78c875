"""Two Envoys as Consul's dataplane sets them up for services of protocol `http`: one beside the gateway, one beside the
service, and TLS with certificates of both between them.

Written by hand as we understand what Consul gives its dataplane: one that has it cannot be had here.
"""

import json
from typing import Any

from tests.http.certificates import Authority, Pair

FILTERS = "type.googleapis.com/envoy.extensions.filters"
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
TIMEOUT = "90s"
"""Of k8s/components/mesh/defaults.yaml."""


def outbound(port: int, inbound_port: int, authority: Authority) -> str:
    """Takes the gateway's plain requests on loopback."""
    context = {"common_tls_context": _certificates(authority.issue("gateway.mesh"), authority)}
    secured = {"name": "tls", "typed_config": {"@type": f"{TLS}.UpstreamTlsContext", "sni": "shop.mesh", **context}}
    return _envoy(_listener(port, _manager("upstream")), _cluster(inbound_port, secured))


def inbound(port: int, service_port: int, authority: Authority) -> str:
    """Takes requests of those who have a certificate of the mesh, and of nobody else."""
    manager = _manager("public") | {
        "forward_client_cert_details": "APPEND_FORWARD",
        "set_current_client_cert_details": {"subject": True, "uri": True},
        "normalize_path": True,
    }
    context = {"common_tls_context": _certificates(authority.issue("shop.mesh"), authority)}
    secured = {"@type": f"{TLS}.DownstreamTlsContext", "require_client_certificate": True, **context}
    return _envoy(_listener(port, manager, {"name": "tls", "typed_config": secured}), _cluster(service_port))


def _envoy(listener: object, cluster: object) -> str:
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}})


def _manager(name: str) -> dict[str, Any]:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "next", "timeout": TIMEOUT}}
    return {
        "@type": f"{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": [route]}]},
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{FILTERS}.http.router.v3.Router"}}],
    }


def _listener(port: int, manager: object, secured: object = None) -> object:
    chain = {"filters": [{"name": "http", "typed_config": manager}]} | (
        {"transport_socket": secured} if secured else {}
    )
    return {"address": _address(port), "filter_chains": [chain]}


def _cluster(port: int, secured: object = None) -> object:
    endpoint = {"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}
    found = {
        "name": "next",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "next", "endpoints": [endpoint]},
    }
    return found | ({"transport_socket": secured} if secured else {})


def _certificates(pair: Pair, authority: Authority) -> object:
    files = {"certificate_chain": {"filename": str(pair.cert)}, "private_key": {"filename": str(pair.key)}}
    return {"tls_certificates": [files], "validation_context": {"trusted_ca": {"filename": str(authority.file)}}}


def _address(port: int) -> object:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
