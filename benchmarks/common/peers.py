"""Configurations of the proxies that the gateway is compared with: one worker each, keep-alive to the upstream."""

import json
from pathlib import Path

_CONNECTIONS = 4096
_ENVOY_FILTERS = "type.googleapis.com/envoy.extensions.filters"


def nginx_origin(folder: Path, port: int, files: Path) -> str:
    """nginx as the upstream: GET /item/ANY is a file of 1 KiB, other paths are files below `files`.

    With a query, each answer's head is another one.
    """
    return f"""{_nginx_main(folder)}
http {{
    {_nginx_temp(folder)}
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 3600s;
    open_file_cache max=100 inactive=3600s; default_type application/json;
    map $args $nonce {{ "" ""; default $request_id; }}
    add_header X-Request-Nonce $nonce always;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location ~ ^/item/ {{ alias {files}/item; }}
        location / {{ root {files}; }}
    }}
}}
"""


def nginx_proxy(folder: Path, port: int, upstream_port: int) -> str:
    return f"""{_nginx_main(folder)}
http {{
    {_nginx_temp(folder)}
    access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s;
    upstream origin {{
        server 127.0.0.1:{upstream_port};
        keepalive 128; keepalive_requests 1000000000; keepalive_timeout 3600s;
    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
            proxy_max_temp_file_size 0; proxy_request_buffering off; client_max_body_size 0;
        }}
    }}
}}
"""


def _nginx_main(folder: Path) -> str:
    return f"""daemon off; master_process off; worker_processes 1;
pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections {_CONNECTIONS}; }}"""


def _nginx_temp(folder: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)


def haproxy(port: int, upstream_port: int) -> str:
    return f"""global
    nbthread 1
    maxconn {_CONNECTIONS}
defaults
    mode http
    timeout connect 5s
    timeout client 300s
    timeout server 300s
    http-reuse always
frontend public
    bind 127.0.0.1:{port} backlog 4096
    default_backend origin
backend origin
    server origin 127.0.0.1:{upstream_port}
"""


def envoy(port: int, upstream_port: int) -> str:
    """Bare Envoy: one route, no filter but the router, no access log. JSON, which it reads like YAML."""
    routes = {
        "name": "all",
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "origin", "timeout": "0s"}}],
    }
    connection_manager = {
        "@type": f"{_ENVOY_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "public",
        "route_config": {"virtual_hosts": [routes]},
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": f"{_ENVOY_FILTERS}.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "address": _envoy_address(port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": connection_manager}]}],
    }
    endpoint = {"lb_endpoints": [{"endpoint": {"address": _envoy_address(upstream_port)}}]}
    cluster = {
        "name": "origin",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "origin", "endpoints": [endpoint]},
    }
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}, indent=1)


def _envoy_address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
