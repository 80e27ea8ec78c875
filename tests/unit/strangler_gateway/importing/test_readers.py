"""Configurations as people write them: what is taken over, what is a guess, and what is named with its line."""

import pytest

from strangler_gateway.config.file import load
from strangler_gateway.importing import envoy, httproute, nginx
from strangler_gateway.importing.found import ImportRefused
from strangler_gateway.importing.write import routes_text
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import MigrationState, RouteTable

NGINX = r"""
user www-data;
http {
    upstream app { server 10.0.0.1:3000; server 10.0.0.2:3000; }
    upstream items { server unix:/run/items.sock; }
    split_clients $remote_addr $side { 20% items; * app; }
    server {
        listen 80;
        server_name example.org; # a { brace and a "quote"
        location /api/ { proxy_pass http://app; proxy_set_header Host $host; }
        location = /health { proxy_pass http://items/status; }
        location ~* ^/items/([0-9]+)$ { proxy_pass http://$side; limit_except GET { deny all; } }
        location ~ \.php$ { proxy_pass http://app; }
        location /old { return 301 /new; }
        location /files { proxy_pass https://files.example:8443/store/; }
        location / { proxy_pass http://app; rewrite ^/a$ /b; }
    }
}
"""
WITH_MORE = r"""
http {
    include mime.types;
    include /etc/nginx/conf.d/*.conf;
    map $uri $backend { default app; ~^/new items; }
    init_by_lua_block { names = {"a", "}"} -- it's { here
    }
    server { server_name old.example; return 301 https://example.org$request_uri; }
    server {
        server_name example.org;
        if ($http_x_beta) { set $beta 1; }
        access_by_lua_block { if ngx.var.uri == "/{" then ngx.exit(403) end }
        location /api/ {
            location ~ ^/api/users/\d+$ { proxy_pass http://users; }
            proxy_pass http://app;
        }
        location /by-map { proxy_pass http://$backend; }
        location = /lua { content_by_lua_block { ngx.say([[ } ]]) } }
        location @later { proxy_pass http://app; }
    }
    server { server_name other.example; location / { proxy_pass http://app; } }
}
"""
ENVOY = """
static_resources:
  listeners:
  - filter_chains:
    - filters:
      - typed_config:
          route_config:
            virtual_hosts:
            - domains: [example.org]
              routes:
              - match: {prefix: /items, headers: [{name: ":method", string_match: {exact: GET}}]}
                route: {weighted_clusters: {clusters: [{name: items, weight: 30}, {name: app, weight: 70}]}}
              - match: {path: /part, runtime_fraction: {default_value: {numerator: 5}}}
                route: {cluster: items}
              - match: {path: /old}
                redirect: {path_redirect: /new}
              - match: {prefix: /x, query_parameters: [{name: q}]}
                route: {cluster: app}
              - match: {safe_regex: {regex: "/u/(\\\\d+)/.*\\\\.css"}}
                route: {cluster: app}
              - match: {safe_regex: {regex: "/v/(?P<who>[^/]+)"}}
                route: {cluster: app, regex_rewrite: {pattern: {regex: "^/v/([^/]+)$"}, substitution: "/w/\\\\1"}}
  clusters:
  - name: items
    load_assignment:
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 10.0.0.3, port_value: 80}}}}]}]
  - name: app
    load_assignment:
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: "::1", port_value: 81}}}}]}]
"""
HTTPROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r}
spec:
  hostnames: [example.org]
  rules:
  - matches:
    - {path: {type: PathPrefix, value: /items}, method: GET}
    - {path: {type: PathPrefix, value: /items}, method: POST}
    - {path: {type: Exact, value: /x}, headers: [{name: X-Beta, value: "1"}]}
    filters: [{type: RequestMirror}]
    timeouts: {request: 1s}
    backendRefs: [{name: items, port: 8080, weight: 1}, {name: app, port: 80, weight: 3}]
  - matches: [{path: {type: PathPrefix, value: /blog}}]
    filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /v2/}}}]
    backendRefs: [{name: blog, port: 8080}]
  - matches: [{path: {type: PathPrefix, value: /gone}}]
  - backendRefs: [{name: app, port: 80}]
---
kind: Service
"""

BOMB = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


def where(table: RouteTable, method: str, path: str) -> tuple[str, str | None, str]:
    """Legacy, extracted and position of the route that takes the request."""
    route = Matcher(table).match(method.encode(), path.encode())[0]
    movable = route.movable
    share = f" {movable.share / 100:g}" if movable.state is MigrationState.CANARY else ""
    return route.legacy.name, route.extracted.name if route.extracted else None, f"{movable.state}{share}"


def test_nginx() -> None:
    found = nginx.read(NGINX)
    text = routes_text(found, "nginx")
    table = load(text, {})
    assert where(table, "GET", "/Items/7") == ("app", "items", "canary 20")
    assert where(table, "POST", "/items/7") == ("app", None, "legacy")
    assert where(table, "GET", "/health") == ("app", "items", "extracted")
    assert Matcher(table).match(b"GET", b"/health")[0].rewrite.extracted == "/status"
    assert where(table, "GET", "/files/a")[:2] == ("app", "files.example-8443")
    assert Matcher(table).match(b"GET", b"/files/a")[0].rewrite.extracted == "/store/{rest...}"
    assert [one.host for one in table.services["app"].instances] == ["10.0.0.1", "10.0.0.2"]
    assert table.services["items"].unix == "/run/items.sock"
    assert found.problems == {
        "a path that no template of routes.yaml has: the route is left out": [13],
        "`return` in a location is not taken over": [14],
        "a location without proxy_pass: the route is left out": [14],
        "`rewrite` in a location is not taken over": [16],
    }
    assert "# Not understood, line 13: a path" in text
    assert "# A guess (line 12): {id} takes every segment, not only [0-9]+." in text
    assert "# A guess (line 15): it also took paths such as /filesx" in text


def test_nginx_with_includes_maps_lua_and_locations_in_locations() -> None:
    found = nginx.read(WITH_MORE)
    table = load(routes_text(found, "nginx"), {})
    assert where(table, "GET", "/api/users/7") == ("app", "users", "extracted")
    assert where(table, "GET", "/api/else") == where(table, "GET", "/") == ("app", None, "legacy")
    assert found.problems == {
        "`include`: what stands in that file is not read": [4],
        "`return` in a server is not taken over": [8],
        "`if` in a server is not taken over": [11],
        "`access_by_lua_block` in a server is not taken over": [12],
        "a proxy_pass with variables: the route is left out": [17, 17],
        "`content_by_lua_block` in a location is not taken over": [18],
        "a location without proxy_pass: the route is left out": [18],
        "a path that no template of routes.yaml has: the route is left out": [19],
        "`server_name`: routes of all hosts are in one table": [10, 21],
    }


def test_envoy() -> None:
    found = envoy.read(ENVOY)
    text = routes_text(found, "envoy")
    table = load(text, {})
    assert where(table, "GET", "/items/7") == ("app", "items", "canary 30")
    assert where(table, "GET", "/items") == ("app", "items", "canary 30")
    assert where(table, "POST", "/items") == ("app", None, "legacy")
    assert Matcher(table).match(b"GET", b"/v/7")[0].rewrite.legacy == "/w/{who}"
    assert table.services["app"].host == "::1"
    assert {what.partition(" ")[0]: lines for what, lines in found.problems.items()} == {
        "`domains`:": [9],
        "an": [15],
        "a": [21],
    }
    assert any(what.startswith("a `runtime_fraction`") for what in found.problems)
    assert "nothing took the other requests; the monolith does now" in text


def test_httproute() -> None:
    found = httproute.read(HTTPROUTE)
    table = load(routes_text(found, "httproute"), {})
    for method in ("GET", "HEAD", "POST"):
        assert where(table, method, "/items/7") == ("app", "items", "canary 25")
    assert where(table, "PUT", "/items/7") == where(table, "GET", "/itemsx") == ("app", None, "legacy")
    assert {what.partition(":")[0]: lines for what, lines in found.problems.items()} == {
        "`hostnames`": [2],
        "`timeouts` of a rule is not taken over": [8],
        "the filter RequestMirror is not taken over": [12],
        "a match by header fields or query": [11],
        "a rule without backendRefs": [18],
    }
    rewrites = {route.path: route.rewrite.extracted for route in table.routes if route.rewrite.extracted}
    assert rewrites == {"/blog": "/v2", "/blog/{rest...}": "/v2/{rest...}"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("http { server {", "within a block"),
        ("}", "line 1: a } that closes nothing"),
        ("a" + "{" * 60, "nested deeper"),
        ('location "a', "no word"),
        ("events {}", "no route was found"),
        ("x_by_lua_block { it's }", "line 1: the end of this Lua block is not found"),
    ],
)
def test_nginx_that_cannot_be_read(text: str, says: str) -> None:
    with pytest.raises(ImportRefused, match=says):
        routes_text(nginx.read(text), "nginx")


@pytest.mark.parametrize("read", [envoy.read, httproute.read])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\n---\nb: }\n", "line 3"),
        ("a: !!python/object:os.system x", "tags"),
        ("- " * 200 + "x", "nested deeper"),
        (BOMB, "more than 300000 values"),
        ("routes: {}", "no route was found"),
    ],
)
def test_yaml_that_cannot_be_read(read: object, text: str, says: str) -> None:
    with pytest.raises(ImportRefused, match=says):
        routes_text(read(text), "x")  # type: ignore[operator]  # a reader


def test_hostile_names_and_addresses_stay_within_the_file() -> None:
    hostile = r"""
    upstream "a: {b}\"" { server "evil ${HOME}"; }
    upstream true { server 10.0.0.1; }
    server {
        location = "/x\"}, y: {" { proxy_pass http://true; }
        location "/a\"b/" { proxy_pass http://true; }
        location /ok { proxy_pass "http://a: {b}\""; }
        location / { proxy_pass http://true; }
    }
    """
    text = routes_text(nginx.read(hostile), "nginx")
    table = load(text, {})
    assert {service.host for service in table.services.values()} == {"10.0.0.1", "127.0.0.1"}
    assert "HOME" not in text
