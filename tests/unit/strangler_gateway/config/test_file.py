"""routes.yaml becomes a table: the documented defaults, every field, the digest, the schema for editors."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from ipaddress import ip_network
from typing import Any, cast

import pytest

from chassis.discovery.port import Instance
from strangler_gateway.config.faults import Fault, RoutesInvalid
from strangler_gateway.config.file import json_schema, load
from strangler_gateway.table.routes import (
    Auth,
    BreachRules,
    ErrorTemplate,
    IdentityRules,
    MigrationState,
    Movable,
    PathRules,
    RateLimit,
    Rewrite,
    Route,
    RouteTable,
    Service,
    ServiceTimeouts,
    ServiceTls,
    ShadowRules,
)
from strangler_gateway.table.rules.balance import BalanceRules, EjectRules
from strangler_gateway.table.rules.publish import BodyField, OutcomeRule, PublishRules
from strangler_gateway.table.rules.resilience import NO_BREAKER, BreakerRules, RetryRules

CONNECTIONS_ALONE = BreakerRules(failures=3, errors=0, open_s=2, longest_s=2)
BALANCED = BalanceRules(120.0, EjectRules(0, 0.125, 0.5, 1.0))
MINIMAL = """\
version: 1
services: {monolith: {url: "http://127.0.0.1:3000"}}
routes:
  - {id: everything-else, match: {path: "/{rest...}"}, legacy: monolith}
"""

FULL = """\
version: 1
paths: {case_sensitive: false, trailing_slash: ignore, decode_literals: true}
identity: {plugin: "legacy_adapter.identity:from_environment"}
trusted_proxies: [10.0.0.0/8, "::1"]
identity_headers: [X-User, "X-Auth-*"]
errors:
  default: {content_type: application/json, body: '{"statusCode":{status}}'}
  429: {content_type: text/plain, body: "slow down"}
services:
  monolith: {url: "http://127.0.0.1:3000/base/"}
  shop:
    url: "https://shop.example"
    timeout_s: {connect: 1, response: 30, idle: 0}
    host: upstream
    tls: {ca_file: /ca.pem, cert_file: /c.pem, key_file: /k.pem, server_name: s.example, verify: true}
    max_connections: 10
    breaker: {failures: 5, open_s: 2.5}
    websocket_ping_s: 20
  local: {url: "unix:/run/app.sock:/api"}
groups:
  items:
    {state: canary, share: 12.5, salt: items-1, data: own, anonymous: "header:X-Device", serialize: user,
     retire_after: 30d}
  plain:
routes:
  - id: item-read
    group: items
    match: {methods: [GET, PURGE], path: "/item/{id}"}
    legacy: monolith
    extracted: shop
    auth: {require: {roles: [admin, editor]}, enforce: gateway}
    shadow: {pure: true, share: 50, timeout_s: 2, concurrency: 3, max_body: 64KiB, ignore: ["$.data.updatedAt"],
             unordered: ["$.data"], headers: [ETag], show_values: true}
    limit: {rate: "100/minute", by: address}
    max_body: 10MiB
    rewrite: {legacy: "/old/{id}", extracted: "/v1/{id}.json"}
    ambiguous: reject
  - id: local
    group: plain
    match: {path: "/local/{rest...}"}
    legacy: local
    auth: {require: authenticated}
  - id: alone
    match: {path: "/alone"}
    legacy: monolith
    extracted: shop
    state: extracted
    share: 7.5
    salt: alone-2
    new: true
  - id: place
    group: plain
    match: {methods: [POST], path: "/orders"}
    legacy: monolith
    publish:
      exchange: orders
      type: order.requested.v1
      body: {id: {type: string, format: uuid}, note: {type: string, max_length: 9, required: false}}
      replies: gateway.replies
      wait_s: 0
      confirm_s: 1.5
      location: "/orders/{message_id}"
      queue: warehouse.orders
      outcomes: {accepted: {status: 204, location: "/orders/{id}"}, busy: {status: 503, message: m, retry_after_s: 3}}
      headers: {X-A: b}
    auth: {require: authenticated, enforce: gateway}
  - {id: everything-else, match: {path: "/{rest...}"}, legacy: monolith, state: legacy, auth: {require: open}}
"""


def test_the_minimal_file_has_the_documented_defaults() -> None:
    table = load(MINIMAL, {})
    monolith = Service("monolith", "http", "127.0.0.1", 3000)
    movable = Movable("everything-else", "route", salt="everything-else")
    last = Route(movable.name, "/{rest...}", None, movable, monolith, variables=("rest",), undeclared=True, line=4)
    assert table == RouteTable(table.digest, (last,), {"monolith": monolith}, {movable.name: movable})
    assert (monolith.timeouts, monolith.host_policy) == (ServiceTimeouts(5, 75, 300), "preserve")
    assert (movable.state, movable.share, movable.anonymous, movable.data) == ("legacy", 0, "legacy", "shared")
    assert (last.auth, last.ambiguous) == (Auth(require="open", enforce="upstream"), "keep")


def test_every_field_of_the_file_arrives_in_the_table() -> None:
    table = load(FULL, {})
    assert table.paths == PathRules(case_sensitive=False, trailing_slash="ignore", decode_literals=True)
    assert table.identity == (IdentityRules("plugin", plugin="legacy_adapter.identity:from_environment"),)
    assert table.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    assert table.identity_headers == ("x-user", "x-auth-*")
    assert table.errors == {
        "default": ErrorTemplate("application/json", '{"statusCode":{status}}'),
        "429": ErrorTemplate("text/plain", "slow down"),
    }
    assert table.services == {
        "monolith": Service("monolith", "http", "127.0.0.1", 3000, base_path=b"/base"),
        "local": Service("local", "http", "localhost", 80, "/run/app.sock", b"/api"),
        "shop": Service(
            "shop",
            "https",
            "shop.example",
            443,
            timeouts=ServiceTimeouts(connect=1, response=30, idle=0),
            host_policy="upstream",
            tls=ServiceTls(ca_file="/ca.pem", cert_file="/c.pem", key_file="/k.pem", server_name="s.example"),
            max_connections=10,
            breaker_failures=5,
            breaker_open_s=2.5,
            websocket_ping_s=20,
            is_new_end=True,
        ),
    }
    items = Movable(
        "items", "group", MigrationState.CANARY, 1250, "items-1", "own", "header:X-Device", "user", 30 * 86400.0
    )
    assert table.movables == {
        "items": items,
        "plain": Movable("plain", "group", salt="plain"),
        "alone": Movable("alone", "route", MigrationState.EXTRACTED, 750, "alone-2"),
        "everything-else": Movable("everything-else", "route", salt="everything-else"),
    }


def test_every_field_of_a_route_arrives_in_the_table() -> None:
    table = load(FULL, {})
    item, other, alone, place, last = table.routes
    assert item == Route(
        "item-read",
        "/item/{id}",
        frozenset({b"GET", b"PURGE"}),
        table.movables["items"],
        table.services["monolith"],
        table.services["shop"],
        ("id",),
        auth=Auth(frozenset({"admin", "editor"}), "gateway"),
        shadow=ShadowRules(
            True, 5000, 2, 3, 64 << 10, ("$.data.updatedAt",), ("$.data",), headers=("etag",), show_values=True
        ),
        limit=RateLimit("100/minute", "address"),
        max_body=10 << 20,
        rewrite=Rewrite(legacy="/old/{id}", extracted="/v1/{id}.json"),
        ambiguous="reject",
        line=item.line,
    )
    assert other.auth == Auth("authenticated", "upstream")
    assert (alone.movable, alone.new) == (table.movables["alone"], True)
    assert [route.has_new_end for route in table.routes] == [True, False, True, True, False]
    assert place.publish == PublishRules(
        "orders",
        "order.requested.v1",
        "gateway.replies",
        body=(BodyField("id", "string", "uuid"), BodyField("note", "string", max_length=9, required=False)),
        wait_s=0,
        confirm_s=1.5,
        location="/orders/{message_id}",
        outcomes=(
            OutcomeRule("accepted", 204, location="/orders/{id}"),
            OutcomeRule("busy", 503, message="m", retry_after_s=3),
        ),
        queue="warehouse.orders",
        headers=(("X-A", "b"),),
    )
    assert last.undeclared


@pytest.mark.parametrize(
    ("identity", "kind", "options"),
    [
        ("none", None, {}),
        ("{enabled: false, plugin: 'a:b'}", None, {}),
        (
            "{jwt: {jwks_url: 'https://id.example/jwks', audience: api, roles: $.realm.roles}}",
            "jwt",
            {"jwks_url": "https://id.example/jwks", "algorithms": ["RS256"], "user": "sub", "header": "authorization"},
        ),
        (
            "{jwt: {key_env: JWT_KEY, algorithms: [HS256], cookie: session}}",
            "jwt",
            {"key_env": "JWT_KEY", "cookie": "session"},
        ),
        (
            "{introspect: {url: 'http://m/user/@me?x=1', user: $.data.id}}",
            "introspect",
            {"url": "http://m/user/@me?x=1", "forward": ["authorization", "cookie"], "cache_s": 5.0},
        ),
    ],
)
def test_identity_is_none_or_one_provider_with_its_options(
    identity: str, kind: str | None, options: dict[str, object]
) -> None:
    found = load(MINIMAL.replace("routes:", f"identity: {identity}\nroutes:"), {}).identity
    assert [rules.kind for rules in found] == ([kind] if kind else [])
    assert options.items() <= {name: value for rules in found for name, value in rules.options}.items()


TWO = """
identity:
  - enabled: ${ID_SERVER:-false}
    jwt: {jwks_url: "https://id.example/jwks", issuer: "https://id.example", azp: [web], typ: Bearer}
  - plugin: "legacy.tokens:provider"
"""


def test_of_several_providers_those_count_that_are_enabled() -> None:
    text = MINIMAL.replace("routes:", f"{TWO}routes:")
    one, two = load(text, {}), load(text, {"ID_SERVER": "true"})
    quoted = load(text.replace("${ID_SERVER:-false}", '"${ID_SERVER:-false}"'), {"ID_SERVER": "true"})
    alone = load(MINIMAL.replace("routes:", "identity: {plugin: 'legacy.tokens:provider'}\nroutes:"), {})
    assert [rules.kind for rules in two.identity] == ["jwt", "plugin"]
    assert two.identity == quoted.identity
    assert (one.identity, one.digest) == (alone.identity, alone.digest)
    assert len({one.digest, two.digest}) == 2


def test_what_is_new_changes_no_digest_where_it_is_not_written() -> None:
    """The journal of an older gateway names these."""
    jwt = "{jwt: {jwks_url: 'https://id.example/jwks', audience: api}}"
    texts = (MINIMAL, MINIMAL.replace("routes:", f"identity: {jwt}\nroutes:"))
    assert [load(text, {}).digest for text in texts] == ["25d4ac3ec822e25c", "aec3a53cef746521"]


@pytest.mark.parametrize(
    ("url", "authority", "base"),
    [
        ("http://m", b"m", b""),
        ("http://m:80/", b"m", b""),
        ("https://m:80", b"m:80", b""),
        ("http://[::1]:3000/a/b/", b"[::1]:3000", b"/a/b"),
        ("http://M.Example:8080/A", b"m.example:8080", b"/A"),
    ],
)
def test_an_address_becomes_host_port_and_base_path(url: str, authority: bytes, base: bytes) -> None:
    service = load(MINIMAL.replace("http://127.0.0.1:3000", url), {}).services["monolith"]
    assert (service.authority, service.base_path) == (authority, base)


def test_a_file_with_faults_raises_all_of_them() -> None:
    with pytest.raises(RoutesInvalid) as caught:
        load(MINIMAL.replace("version: 1", "version: 3").replace("legacy: monolith", "legacy: m"), {})
    assert [fault.line for fault in caught.value.faults] == [1, 4]
    assert isinstance(caught.value.faults[0], Fault)
    assert str(caught.value).startswith("line 1: version: wanted 1, seen 3\nline 4: ")


REQUIRED = {
    "ServiceEntry": [],
    "RouteEntry": ["id", "legacy", "match"],
    "MatchRules": ["path"],
    "PublishEntry": ["exchange", "outcomes", "replies", "type"],
}
CHANGES = (
    ("state: canary", "state: extracted"),
    ("share: 12.5", "share: 12.51"),
    ("salt: items-1", "salt: items-2"),
    ("shop.example", "shop2.example"),
    ("trailing_slash: ignore", "trailing_slash: strict"),
    ("slow down", "slower"),
    ("[GET, PURGE]", "[GET]"),
    ("/alone", "/lonely"),
    ("roles: [admin, editor]", "roles: [admin]"),
    ("extracted: shop\n    state", "extracted: local\n    state"),
    ("exchange: orders", "exchange: others"),
    ("new: true", "new: false"),
)


def test_the_digest_depends_on_what_is_served_and_not_on_how_it_is_written() -> None:
    digest = load(FULL, {}).digest
    assert digest == "f881aa8eed254392"  # an upgrade that adds no field gives a file no new digest
    spaced = "# a comment\n" + FULL.replace("{id: everything-else, ", "{ id: everything-else ,")
    reordered = FULL.replace("[GET, PURGE]", "[PURGE, GET]").replace("[admin, editor]", "[editor, admin]")
    assert [load(text, {}).digest for text in (spaced, reordered)] == [digest, digest]
    changed = {load(FULL.replace(before, after), {}).digest for before, after in CHANGES}
    assert len(changed - {digest}) == len(CHANGES)
    by_environment = [
        load(MINIMAL.replace("http://127.0.0.1:3000", "${U}"), {"U": f"http://{n}"}).digest for n in "aab"
    ]
    assert by_environment[0] == by_environment[1] != by_environment[2]


def test_when_a_side_counts_as_broken_may_be_written() -> None:
    breach = "points: 8, hard: 60, above: 2.5, times: 3, margin: 0.5, per_second: 100, remember: 1d"
    gate = load(MINIMAL + f"groups: {{g: {{gate: {{breach: {{{breach}}}}}}}}}\n", {}).movables["g"].gate
    assert gate.breach == BreachRules(8, 0.6, 0.025, 3, 0.005, 100, 86_400)


def test_every_process_finds_the_same_digest() -> None:
    program = "import sys; from strangler_gateway.config.file import load; print(load(sys.stdin.read(), {}).digest)"
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            input=FULL.replace("[admin, editor]", "[a, b, c, d, e, f]"),
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            check=True,
            text=True,
            timeout=60,
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(digests) == 1


def test_a_service_may_have_several_instances_and_one_alone_changes_no_digest() -> None:
    one = 'url: "http://127.0.0.1:3000"'
    several = MINIMAL.replace(one, 'urls: ["http://a", "http://[::1]:81"], balance: {eject: {rate: 30, max: 100}}')
    service = load(several, {}).services["monolith"]
    assert service.instances == (Instance("a:80", "a", 80), Instance("[::1]:81", "::1", 81))
    assert (service.authority, service.balance.eject) == (b"a", EjectRules(5, 0.3, 10.0, 1.0))
    sockets = load(MINIMAL.replace(one, 'urls: ["unix:/run/a", "unix:/run/b"]'), {}).services["monolith"].instances
    assert sockets == tuple(Instance(each, "localhost", 80, each) for each in ("/run/a", "/run/b"))
    alone = load(MINIMAL.replace(one, 'urls: ["http://127.0.0.1:3000"]'), {})
    assert alone.digest == load(MINIMAL, {}).digest != load(several, {}).digest


def test_movables_replace_those_of_the_same_name_in_table_and_routes() -> None:
    table = load(FULL, {})
    moved = table.with_movables({"items": replace(table.movables["items"], state=MigrationState.LEGACY)})
    assert moved.routes[0].movable is moved.movables["items"]
    assert moved.movables["alone"] is table.movables["alone"]
    assert table.movables["items"].state is MigrationState.CANARY
    assert moved.digest == load(FULL.replace("state: canary", "state: legacy"), {}).digest != table.digest
    assert moved.with_movables({"items": table.movables["items"]}).digest == table.digest
    with pytest.raises(ValueError, match="no group or route is called other"):
        table.with_movables({"other": Movable("other", "group")})


def test_a_share_is_exact_to_a_hundredth_of_a_percent() -> None:
    for basis_points in (0, 1, 7, 29, 1250, 3333, 9999, 10000):
        text = FULL.replace("share: 12.5", f"share: {basis_points / 100}")
        assert load(text, {}).movables["items"].share == basis_points


def test_the_schema_names_what_is_required_and_refuses_what_is_unknown() -> None:
    schema = cast(dict[str, Any], json_schema())
    parts = schema["$defs"]
    assert json.loads(json.dumps(schema)) == schema
    assert sorted(schema["required"]) == ["routes", "services", "version"]
    assert {name: sorted(parts[name].get("required", [])) for name in REQUIRED} == REQUIRED
    assert parts["BodyFieldEntry"]["properties"]["type"]["anyOf"][0]["enum"][0] == "string"
    assert {part["additionalProperties"] for part in parts.values()} == {False}


def test_the_schema_takes_a_variable_where_a_number_or_word_is_wanted() -> None:
    group = cast(dict[str, Any], json_schema())["$defs"]["GroupEntry"]["properties"]
    for name in ("share", "state"):
        variable = group[name]["anyOf"][1]
        assert re.search(variable["pattern"], "${SHARE:-5}")
        assert not re.search(variable["pattern"], "five")
    assert group["share"]["anyOf"][0] == {"type": "number", "minimum": 0, "maximum": 100}
    assert group["state"]["default"] == "legacy"


def test_several_rates_and_a_burst_are_one_limit_with_the_shortest_window_first() -> None:
    limit = '{rates: ["100/minute", "10/second"], burst: 20, by: credential, unavailable: closed}'
    found = load(FULL.replace('{rate: "100/minute", by: address}', limit), {}).routes[0].limit
    assert found == RateLimit("100/minute, 10/second", "credential", 20, "closed")
    assert [tuple(window) for window in found.windows] == [(20, 10, 1_000_000), (100, 100, 60_000_000)]
    assert str(found) == "100/minute, 10/second (burst 20) by credential, closed while Redis is away"


@pytest.mark.parametrize(
    ("fields", "of_new_end", "of_legacy"),
    [
        ("", BreakerRules(), NO_BREAKER),
        ("breaker: off", NO_BREAKER, NO_BREAKER),
        ("breaker: {failures: 3, open_s: 2}", CONNECTIONS_ALONE, CONNECTIONS_ALONE),
        ("breaker: {open: 2m}", BreakerRules(open_s=120, longest_s=120), BreakerRules(open_s=120, longest_s=120)),
        ("breaker: {slow: 5s}", BreakerRules(errors=0, slow_s=5), BreakerRules(errors=0, slow_s=5)),
        (
            "breaker: {errors: 2.5%, slow: 1s, slow_calls: 90%, min: 7, window: 1m, open: 9s, probes: 1, failures: 4}",
            *[BreakerRules(4, 0.025, 1.0, 0.9, 7, 60.0, 9.0, 60.0, 1)] * 2,
        ),
    ],
)
def test_a_breaker_is_on_where_it_is_written_and_by_default_for_a_service_that_is_nobodys_monolith(
    fields: str, of_new_end: BreakerRules, of_legacy: BreakerRules
) -> None:
    assert [service.breaker_rules for service in _services(fields)] == [of_new_end, of_legacy]


def test_how_requests_wait_and_are_sent_again() -> None:
    fields = "max_concurrency: 7, queue: {max: 0, wait: 250ms}, retry: {budget: 5%, floor: 0}, timeout_s: {connect: 3}"
    written, usual = _services(fields), _services("timeout_s: {connect: 3}")
    found = [(one.max_concurrency, one.queue_max, one.queue_wait_s, one.retry) for one in (*written, *usual)]
    assert found[:2] == [(7, 0, 0.25, RetryRules(0.05, 0))] * 2
    assert found[2:] == [(None, 1000, 3.0, RetryRules()), (None, 10_000, 3.0, RetryRules())]


@pytest.mark.parametrize(
    ("fields", "rules"),
    [
        ("", BalanceRules()),
        ("balance: {slow_start: 2m, eject: {out: 500ms, rate: 12.5%, max: 100%, failures: 0}}", BALANCED),
        ("balance: {slow_start_s: 120, eject: {out_s: 0.5, rate: 12.5, max: 100, failures: 0}}", BALANCED),
        ("balance: {slow_start_s: 2m, eject: {out_s: 500ms, rate: 12.5, max: 100%, failures: 0}}", BALANCED),
        ("balance: {slow_start: 0, eject: {rate: 0%}}", BalanceRules(0.0, EjectRules(rate=0.0))),
    ],
)
def test_balance_takes_plain_numbers_and_units(fields: str, rules: BalanceRules) -> None:
    assert _services(fields)[0].balance == rules


def test_what_follows_from_the_routes_changes_no_digest_and_what_is_written_does() -> None:
    assert digest_with("") == digest_with("max_concurrency: null, queue: {}, retry: {budget: 20%}")
    written = ("breaker: off", "max_concurrency: 7", "queue: {max: 5}", "retry: {floor: 1}", "breaker: {min: 5}")
    assert len({digest_with(fields) for fields in ("", *written)}) == 6


def digest_with(fields: str) -> str:
    return load(MINIMAL.replace('3000"', f'3000", {fields}'), {}).digest


def _services(fields: str) -> list[Service]:
    """The new end and the monolith."""
    services = f"services: {{old: {{url: 'http://o', {fields}}}, new: {{url: 'http://n', {fields}}}}}"
    route = "routes: [{id: r, match: {path: '/{rest...}'}, legacy: old, extracted: new}]"
    table = load(f"version: 1\n{services}\n{route}", {})
    return [table.services[name] for name in ("new", "old")]
