"""The table as a bootstrap file of Envoy (API v3), with everything in it."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any

from strangler_gateway.export.own_names import IDENTITY, OWN_NAMES, OWN_PREFIX
from strangler_gateway.export.pattern import regex
from strangler_gateway.export.rules import ExportOptions, ForwardRule, WeightedEnd, services
from strangler_gateway.export.templates import VARIABLE
from strangler_gateway.export.unexpressed import Unexpressed
from strangler_gateway.table.position import WHOLE
from strangler_gateway.table.routes import PathRules, RouteTable, Service

Json = dict[str, Any]

DIFFERS = (
    Unexpressed("methods", "methods that are in no RFC, and those in small letters, get 400"),
    Unexpressed("raw_bytes", "a target with bytes above 0x7F that are not percent-encoded gets 400"),
    Unexpressed("asterisk", "OPTIONS * gets 404"),
    Unexpressed("identity_prefixes", "fields that say who calls are removed by name, not by prefix or with _ for -"),
    Unexpressed(
        "timeouts", "no time-out for the response's header alone: the longer one of `response` and `idle` holds"
    ),
)
_AUTHORITY = "strangler-authority"
_V3 = "type.googleapis.com/envoy.{}.v3.{}"
_FILTERS = "extensions.filters"
_ASKED = "access-control-request-method"


def differs(_found: tuple[ForwardRule, ...]) -> tuple[Unexpressed, ...]:
    """What it does differently by nature."""
    return DIFFERS


def bootstrap(table: RouteTable, found: tuple[ForwardRule, ...], options: ExportOptions) -> Json:
    """The whole file; start it with `envoy -c FILE`."""
    used = list(services(found).values())
    clusters = [_cluster(service.name, service) for service in used]
    if options.authority is not None:
        clusters.append(_cluster(_AUTHORITY, options.authority))
    return {
        "static_resources": {"listeners": [_listener(table, found, options, used)], "clusters": clusters},
        # Envoy refuses expressions longer than 100 instructions by default.
        "layered_runtime": {
            "layers": [{"name": "static", "static_layer": {"re2": {"max_program_size": {"error_level": 100_000}}}}]
        },
    }


def _listener(table: RouteTable, found: tuple[ForwardRule, ...], options: ExportOptions, used: list[Service]) -> Json:
    host, port = options.listen
    manager = _typed(
        f"{_FILTERS}.network.http_connection_manager",
        "HttpConnectionManager",
        stat_prefix="public",
        # The path goes on as the client sent it.
        normalize_path=False,
        merge_slashes=False,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        use_remote_address=True,
        preserve_external_request_id=True,
        server_header_transformation="PASS_THROUGH",
        max_request_headers_kb=64,
        stream_idle_timeout="0s",
        http_protocol_options={"accept_http_10": True} | _preserve_case(),
        upgrade_configs=[{"upgrade_type": name} for name in _upgrades(used)],
        early_header_mutation_extensions=[_early_removal()],
        route_config={"name": "strangler", "virtual_hosts": [_virtual_host(table.paths, found, options)]},
        http_filters=_filters(options),
    )
    return {
        "name": "public",
        "address": _address(host, port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _virtual_host(rules: PathRules, found: tuple[ForwardRule, ...], options: ExportOptions) -> Json:
    entries = [entry for rule in found for entry in _entries(rule, rules, options)]
    return {"name": "all", "domains": ["*"], "routes": entries}


def _entries(rule: ForwardRule, rules: PathRules, options: ExportOptions) -> Iterator[Json]:
    """One for each way in which a request has the rule's method: its own, and the one that a preflight asks for."""
    for number, (headers, fraction, action) in enumerate(
        (headers, fraction, action)
        for headers in _methods(rule.methods)
        for fraction, action in _actions(rule, rules, options)
    ):
        match = _path(rule) | ({"headers": headers} if headers else {}) | fraction
        yield {"name": rule.route.id if not number else f"{rule.route.id}/{number + 1}", "match": match} | action


def _path(rule: ForwardRule) -> Json:
    if rule.path.kind == "regex":
        return {"safe_regex": {"regex": rule.path.text}}
    return {"path" if rule.path.kind == "exact" else "prefix": rule.path.text}


def _methods(methods: tuple[str, ...] | None) -> list[list[Json]]:
    if methods is None:
        return [[]]
    own = [method for method in methods if method != "OPTIONS"]
    ways = [[_is_one_of(":method", own)]] if own else []
    if "OPTIONS" in methods:
        ways.append([_is_one_of(":method", ["OPTIONS"]), {"name": _ASKED, "present_match": False}])
    return [*ways, [_is_one_of(":method", ["OPTIONS"]), _is_one_of(_ASKED, list(methods))]]


def _is_one_of(header: str, values: list[str]) -> Json:
    if len(values) == 1:
        return {"name": header, "string_match": {"exact": values[0]}}
    # the characters of a method that an expression could misread are . * + | ^ $
    return {"name": header, "string_match": {"safe_regex": {"regex": "|".join(map(_escaped_method, values))}}}


def _escaped_method(method: str) -> str:
    return "".join(each if each.isalnum() or each in "-_" else f"\\{each}" for each in method)


def _actions(rule: ForwardRule, rules: PathRules, options: ExportOptions) -> list[tuple[Json, Json]]:
    """(what the match needs, what is done). A path can be replaced for a route alone, not for one of its clusters."""
    if not rule.ends:
        text = f"Route {rule.route.id} needs the gateway, which is not here any more.\n"
        return [({}, {"direct_response": {"status": 501, "body": {"inline_string": text}}})]
    if len(rule.ends) == 1 or not any(end.replaces_path for end in rule.ends):
        return [({}, _forward(rule, rules, rule.ends, options))]
    new, legacy = rule.ends
    fraction = {"runtime_fraction": {"default_value": {"numerator": new.weight, "denominator": "TEN_THOUSAND"}}}
    return [(fraction, _forward(rule, rules, (new,), options)), ({}, _forward(rule, rules, (legacy,), options))]


def _forward(rule: ForwardRule, rules: PathRules, ends: tuple[WeightedEnd, ...], options: ExportOptions) -> Json:
    timeouts = [end.service.timeouts for end in ends]
    idle_s = 0.0 if any(not one.idle for one in timeouts) else max(max(one.response, one.idle) for one in timeouts)
    action: Json = {"timeout": "0s", "idle_timeout": f"{idle_s:g}s"}
    if len(ends) == 1:
        end = ends[0]
        action |= {"cluster": end.service.name} | _host(end) | _rewrite(rule, rules, end)
        return {"route": action} | _of_end(end, options)
    # With a credential the same requests stay on the same side for as long as the weights stay.
    action["hash_policy"] = [{"header": {"header_name": "authorization"}}]
    action["weighted_clusters"] = {
        "use_hash_policy": True,
        "clusters": [
            {"name": end.service.name, "weight": end.weight} | _host(end) | _of_end(end, options) for end in ends
        ],
    }
    return {"route": action}


def _host(end: WeightedEnd) -> Json:
    if end.service.host_policy == "preserve":
        return {}
    return {"host_rewrite_literal": end.service.authority.decode()}


def _rewrite(rule: ForwardRule, rules: PathRules, end: WeightedEnd) -> Json:
    if not end.replaces_path:
        return {}
    if end.rewrite is None:
        return {"regex_rewrite": {"pattern": {"regex": "^(.*)$"}, "substitution": f"{_literal(end.target)}\\1"}}
    places = {name: f"\\{at}" for at, name in enumerate(rule.route.variables, 1)}
    pieces = VARIABLE.split(end.target)  # literal, name, literal, …
    substitution = "".join(places[piece] if at % 2 else _literal(piece) for at, piece in enumerate(pieces))
    pattern = f"^{regex(rule.route.path, rules, ['('] * len(places))}$"
    return {"regex_rewrite": {"pattern": {"regex": pattern}, "substitution": substitution}}


def _literal(text: str) -> str:
    """In a substitution only the backslash means something."""
    return text.replace("\\", "\\\\")


def _of_end(end: WeightedEnd, options: ExportOptions) -> Json:
    """The monolith decides by itself who calls."""
    own: Json = {"request_headers_to_remove": list(IDENTITY)} if end.is_new else {}
    if options.authority is not None and not end.is_new:
        disabled = _typed(f"{_FILTERS}.http.ext_authz", "ExtAuthzPerRoute", disabled=True)
        own["typed_per_filter_config"] = {"authority": disabled}
    return own


def _filters(options: ExportOptions) -> list[Json]:
    router = {
        "name": "router",
        "typed_config": _typed(f"{_FILTERS}.http.router", "Router", suppress_envoy_headers=True),
    }
    if options.authority is None:
        return [router]
    authority = _typed(
        f"{_FILTERS}.http.ext_authz",
        "ExtAuthz",
        http_service={
            "server_uri": {
                "uri": f"http://{options.authority.authority.decode()}",
                "cluster": _AUTHORITY,
                "timeout": "5s",
            },
            "authorization_response": {
                "allowed_upstream_headers": {"patterns": [{"exact": "authorization"}, {"prefix": OWN_PREFIX}]}
            },
        },
        allowed_headers={"patterns": [{"safe_regex": {"regex": ".*"}}]},
        status_on_error={"code": "ServiceUnavailable"},
    )
    return [{"name": "authority", "typed_config": authority}, router]


def _early_removal() -> Json:
    """Nobody says in the gateway's names what the gateway said, or names another request than this one."""
    by_prefix = [
        {"remove_on_match": {"key_matcher": {"prefix": prefix, "ignore_case": True}}}
        for prefix in (OWN_PREFIX, "x-original-")
    ]
    return {
        "name": "own-names",
        "typed_config": _typed(
            "extensions.http.early_header_mutation.header_mutation",
            "HeaderMutation",
            mutations=[*by_prefix, *({"remove": name} for name in OWN_NAMES)],
        ),
    }


def _upgrades(used: Iterable[Service]) -> list[str]:
    return sorted({name.decode() for service in used for name in service.upgrade})


def _cluster(name: str, service: Service) -> Json:
    endpoints = [{"endpoint": {"address": each}} for each in _endpoints(service)]
    is_static = all(_is_static(each) for each in _endpoints(service))
    options = _typed(
        "extensions.upstreams.http",
        "HttpProtocolOptions",
        explicit_http_config={"http_protocol_options": _preserve_case()},
    )
    return {
        "name": name,
        "type": "STATIC" if is_static else "STRICT_DNS",
        "connect_timeout": f"{service.timeouts.connect:g}s",
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": service.max_connections,
                    "max_pending_requests": service.queue_max,
                    "max_requests": service.max_concurrency or service.max_connections,
                }
            ]
        },
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    } | (_tls(service) if service.scheme == "https" else {})


def _endpoints(service: Service) -> list[Json]:
    if service.instances:
        return [_address(one.host, one.port, one.unix) for one in service.instances]
    return [_address(service.host, service.port, service.unix)]


def _address(host: str, port: int, unix: str | None = None) -> Json:
    return {"pipe": {"path": unix}} if unix else {"socket_address": {"address": host, "port_value": port}}


def _is_static(address: Json) -> bool:
    try:
        ip_address(address.get("socket_address", {}).get("address", "127.0.0.1"))
    except ValueError:
        return False
    return True


def _tls(service: Service) -> Json:
    tls, name = service.tls, service.tls.server_name or service.host
    common: Json = {}
    if tls.verify:
        roots = {"trusted_ca": {"filename": tls.ca_file}} if tls.ca_file else {"system_root_certs": {}}
        names = [{"san_type": "DNS", "matcher": {"exact": name}}]
        common["validation_context"] = roots | {"match_typed_subject_alt_names": names}
    if tls.cert_file:
        key = tls.key_file or tls.cert_file
        common["tls_certificates"] = [
            {"certificate_chain": {"filename": tls.cert_file}, "private_key": {"filename": key}}
        ]
    context = _typed("extensions.transport_sockets.tls", "UpstreamTlsContext", sni=name, common_tls_context=common)
    return {"transport_socket": {"name": "tls", "typed_config": context}}


def _preserve_case() -> Json:
    formatter = _typed("extensions.http.header_formatters.preserve_case", "PreserveCaseFormatterConfig")
    return {"header_key_format": {"stateful_formatter": {"name": "preserve_case", "typed_config": formatter}}}


def _typed(package: str, name: str, **fields: object) -> Json:
    return {"@type": _V3.format(package, name), **fields}


assert WHOLE == 10_000  # TEN_THOUSAND, and the sum of all weights
