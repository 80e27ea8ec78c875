"""The table as the `http` part of an nginx configuration.

The raw request target is matched in maps: a `location` would decode it and merge its slashes before.
"""

from collections.abc import Iterator, Sequence

from strangler_gateway.export.nginx_words import DOLLAR, literal, quoted
from strangler_gateway.export.own_names import IDENTITY, OWN_NAMES
from strangler_gateway.export.pattern import escaped, regex
from strangler_gateway.export.rules import ExportOptions, ExportRefused, ForwardRule, WeightedEnd, services
from strangler_gateway.export.templates import VARIABLE
from strangler_gateway.export.unexpressed import Unexpressed
from strangler_gateway.table.position import percent
from strangler_gateway.table.routes import RouteTable, Service

DIFFERS = (
    Unexpressed("methods", "TRACE gets 405, methods in small letters get 400"),
    Unexpressed("percent", "a target with %00, or with a % that encodes nothing, gets 400"),
    Unexpressed("above_root", "a path that leads above the root (/../) gets 400"),
    Unexpressed("asterisk", "OPTIONS * gets 400"),
    Unexpressed("fragment", "a target with # is forwarded; the gateway answers 400"),
    Unexpressed("identity_prefixes", "fields that say who calls are removed by name, not by prefix or with _ for -"),
    Unexpressed("timeouts", "one time-out for all services: the longest of each kind"),
    Unexpressed("tls", "https services share the certificates and names of the first one that needs them"),
)
_REMOVED = (*OWN_NAMES, "x-strangler-client-address", "x-strangler-client-credential")
_AUTHORITY = "strangler-authority"
_GIVEN = ("authorization", "x_strangler_client_address", "x_strangler_client_credential")


def differs(_found: tuple[ForwardRule, ...]) -> tuple[Unexpressed, ...]:
    """What it does differently by nature."""
    return DIFFERS


def configuration(table: RouteTable, found: tuple[ForwardRule, ...], options: ExportOptions) -> str:
    """What stands inside `http {}`. Raises ExportRefused."""
    used = services(found)
    _check(used)
    parts = [
        _sizes(len(found)),
        _request(),
        *(_upstream(service) for service in used.values()),
        *([_upstream_of(_AUTHORITY, options.authority)] if options.authority else []),
        *_splits(found),
        _which_rule(found, table),
        _where(found),
        _which_path(found, table),
        _whose(found),
        _hosts(used),
        _given(options),
        _server(used, options),
    ]
    return "\n".join(part for part in parts if part)


def _check(used: dict[str, Service]) -> None:
    folded: dict[str, str] = {}
    for name in used:
        other = folded.setdefault(name.lower(), name)
        if other != name:
            raise ExportRefused(f"nginx does not tell the services {other} and {name} apart: rename one of them")


def _sizes(rules: int) -> str:
    return f"map_hash_max_size {max(2048, 64 * rules)};\nmap_hash_bucket_size 256;\nvariables_hash_max_size 2048;\n"


def _request() -> str:
    """The method that counts, the raw path, and the query with its question mark."""
    return rf"""geo ${DOLLAR} {{ default "$"; }}
map $http_access_control_request_method $strangler_preflight {{
    default $http_access_control_request_method;
    "" OPTIONS;
}}
map $request_method $strangler_method {{ default $request_method; OPTIONS $strangler_preflight; }}
map $request_uri $strangler_path {{ "~^(?<strangler_p>[^?]*)" $strangler_p; }}
map $request_uri $strangler_query {{ default ""; "~^[^?]*(?<strangler_q>\\?.*)$" $strangler_q; }}
map $http_upgrade $strangler_connection {{ default upgrade; "" ""; }}
# With a credential the same requests stay on the same side for as long as the weights stay.
map $http_authorization $strangler_caller {{ default $http_authorization; "" $request_id; }}
"""


def _upstream(service: Service) -> str:
    return _upstream_of(service.name, service)


def _upstream_of(name: str, service: Service) -> str:
    return f"upstream {_upstream_name(name)} {{\n" + "".join(_servers(service)) + "    keepalive 64;\n}\n"


def _upstream_name(name: str) -> str:
    return f"strangler-{name}"


def _servers(service: Service) -> Iterator[str]:
    places = [(one.host, one.port, one.unix) for one in service.instances]
    for host, port, unix in places or [(service.host, service.port, service.unix)]:
        host = f"[{host}]" if ":" in host else host
        yield f"    server {quoted(f'unix:{unix}' if unix else f'{host}:{port}')};\n"


def _split(rule: ForwardRule) -> tuple[str, int, str, str]:
    """What the rules of a movable have in common where some requests go to one end and some to the other."""
    new, legacy = rule.ends
    return rule.route.movable.name, new.weight, _origin(new), _origin(legacy)


def _numbered_splits(found: Sequence[ForwardRule]) -> dict[tuple[str, int, str, str], str]:
    splits = dict.fromkeys(_split(rule) for rule in found if len(rule.ends) == 2)
    return {split: f"$strangler_split_{number}" for number, split in enumerate(splits)}


def _splits(found: Sequence[ForwardRule]) -> Iterator[str]:
    for (movable, weight, new, legacy), variable in _numbered_splits(found).items():
        yield (
            f'split_clients "{movable}:$strangler_caller" {variable} {{\n'
            f"    {percent(weight):.2f}% {new};\n    * {legacy};\n}}\n"
        )


def _origin(end: WeightedEnd) -> str:
    return _origin_of(end.service)


def _which_rule(found: Sequence[ForwardRule], table: RouteTable) -> str:
    lines = [
        f"    {quoted(f'~^{_methods(rule)} {_path(rule, table)}$')} r{number}; # {rule.route.id}\n"
        for number, rule in enumerate(found)
    ]
    return 'map "$strangler_method $strangler_path" $strangler_rule {\n    default "";\n' + "".join(lines) + "}\n"


def _methods(rule: ForwardRule) -> str:
    if rule.methods is None:
        return "[^ ]*"
    return f"(?:{'|'.join(map(escaped, rule.methods))})" if len(rule.methods) > 1 else escaped(rule.methods[0])


def _path(rule: ForwardRule, table: RouteTable) -> str:
    return ".*" if rule.path.kind == "prefix" else regex(rule.route.path, table.paths)


def _where(found: Sequence[ForwardRule]) -> str:
    """The origin; none: nothing can serve it."""
    lines, splits = [], _numbered_splits(found)
    for number, rule in enumerate(found):
        if rule.ends:
            origin = splits[_split(rule)] if len(rule.ends) == 2 else _origin(rule.ends[0])
            lines.append(f"    r{number} {origin}; # {rule.route.id}\n")
    return 'map $strangler_rule $strangler_origin {\n    default "";\n' + "".join(lines) + "}\n"


def _which_path(found: Sequence[ForwardRule], table: RouteTable) -> str:
    lines = [
        f"    {key} {value}; # {rule.route.id}\n"
        for number, rule in enumerate(found)
        for end in rule.ends
        if end.replaces_path
        for key, value in (_replaced(number, rule, end, table),)
    ]
    head = 'map "$strangler_rule $strangler_origin $strangler_path" $strangler_target {\n    default $strangler_path;\n'
    return head + "".join(lines) + "}\n"


def _replaced(number: int, rule: ForwardRule, end: WeightedEnd, table: RouteTable) -> tuple[str, str]:
    before = f"~^r{number} {escaped(f'{end.service.scheme}://{_upstream_name(end.service.name)}')} "
    if end.rewrite is None:
        return quoted(f"{before}(?<strangler_v>.*)$"), quoted(f"{literal(end.target)}${{strangler_v}}")
    groups = [f"(?<strangler_v{at}>" for at in range(len(rule.route.variables))]
    pattern = regex(rule.route.path, table.paths, groups)
    return quoted(f"{before}{pattern}$"), quoted(_target(rule, end))


def _target(rule: ForwardRule, end: WeightedEnd) -> str:
    places = {name: f"${{strangler_v{at}}}" for at, name in enumerate(rule.route.variables)}
    pieces = VARIABLE.split(end.target)  # literal, name, literal, …
    return "".join(places[piece] if at % 2 else literal(piece) for at, piece in enumerate(pieces))


def _whose(found: Sequence[ForwardRule]) -> str:
    """The monolith gets what the client says of itself, the new side does not."""
    lines = [
        f"    {quoted(f'r{number} {end.service.scheme}://{_upstream_name(end.service.name)}')} legacy;\n"
        for number, rule in enumerate(found)
        for end in rule.ends
        if not end.is_new
    ]
    side = 'map "$strangler_rule $strangler_origin" $strangler_side {\n    default new;\n' + "".join(lines) + "}\n"
    names = [name.replace("-", "_") for name in IDENTITY]
    return side + "".join(
        f'map $strangler_side $strangler_{name} {{ default ""; legacy $http_{name}; }}\n' for name in names
    )


def _hosts(used: dict[str, Service]) -> str:
    """The Host field, and the name in TLS."""
    hosts = [
        f"    {_origin_of(service)} {quoted(literal(service.authority.decode()))};\n"
        for service in used.values()
        if service.host_policy == "upstream"
    ]
    names = [
        f"    {_origin_of(service)} {quoted(literal(service.tls.server_name or service.host))};\n"
        for service in used.values()
        if service.scheme == "https"
    ]
    host = "map $strangler_origin $strangler_host {\n    default $http_host;\n" + "".join(hosts) + "}\n"
    return host + "map $strangler_origin $strangler_tls_name {\n    default $host;\n" + "".join(names) + "}\n"


def _server(used: dict[str, Service], options: ExportOptions) -> str:
    host, port = options.listen
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [*_PROXY, *_timeouts(used), *_tls(used), *_fields(options)]
    location = "".join(f"        {line}\n" for line in lines)
    return f"""server {{
    listen {quoted(place)};
    client_max_body_size 0;
    large_client_header_buffers 8 64k;
    underscores_in_headers on;
    ignore_invalid_headers off;
    location / {{
        if ($strangler_origin = "") {{ return 501; }}
{location}    }}
{_authority(options)}}}
"""


_PROXY = (
    "proxy_pass $strangler_origin$strangler_target$strangler_query;",
    "proxy_http_version 1.1;",
    "proxy_buffering off;",
    "proxy_request_buffering off;",
    "proxy_next_upstream off;",
    "proxy_redirect off;",
    "proxy_pass_header Server;",
    "proxy_pass_header Date;",
    "proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset;",
    *(f"proxy_pass_header X-Accel-{name};" for name in ("Redirect", "Expires", "Limit-Rate", "Buffering", "Charset")),
)


def _timeouts(used: dict[str, Service]) -> list[str]:
    timeouts = [service.timeouts for service in used.values()] or []
    read_s = max((max(one.response, one.idle or 86_400.0) for one in timeouts), default=300.0)
    connect_s = max((one.connect for one in timeouts), default=5.0)
    return [
        f"proxy_connect_timeout {connect_s * 1000:.0f}ms;",
        f"proxy_read_timeout {read_s * 1000:.0f}ms;",
        f"proxy_send_timeout {read_s * 1000:.0f}ms;",
    ]


def _tls(used: dict[str, Service]) -> Iterator[str]:
    tls = next((service.tls for service in used.values() if service.scheme == "https"), None)
    if tls is None:
        return
    yield "proxy_ssl_server_name on;"
    yield "proxy_ssl_name $strangler_tls_name;"
    if tls.verify:
        yield "proxy_ssl_verify on;"
        yield f"proxy_ssl_trusted_certificate {quoted(tls.ca_file or '/etc/ssl/certs/ca-certificates.crt')};"
    if tls.cert_file:
        yield f"proxy_ssl_certificate {quoted(tls.cert_file)};"
        yield f"proxy_ssl_certificate_key {quoted(tls.key_file or tls.cert_file)};"


def _fields(options: ExportOptions) -> Iterator[str]:
    yield "proxy_set_header Host $strangler_host;"
    yield "proxy_set_header Upgrade $http_upgrade;"
    yield "proxy_set_header Connection $strangler_connection;"
    yield "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
    yield "proxy_set_header X-Forwarded-Proto $scheme;"
    yield "proxy_set_header X-Forwarded-Host $http_host;"
    for name in _REMOVED:
        if options.authority is None or not name.startswith("x-strangler-"):
            yield f'proxy_set_header {name} "";'
    for name in IDENTITY:
        yield f"proxy_set_header {name} $strangler_{name.replace('-', '_')};"
    if options.authority is not None:
        yield f"auth_request /{_AUTHORITY};"
        for name in _GIVEN:
            yield f"auth_request_set $strangler_given_{name} $upstream_http_{name};"
            yield f"proxy_set_header {name.replace('_', '-')} $strangler_sent_{name};"


def _given(options: ExportOptions) -> str:
    """What the authority says of the caller, and the monolith never gets."""
    if options.authority is None:
        return ""
    own = {"authorization": "$http_authorization"}
    return "".join(
        f"map $strangler_side $strangler_sent_{name} {{\n"
        f"    default $strangler_given_{name};\n    legacy {own.get(name, quoted(''))};\n}}\n"
        for name in _GIVEN
    )


def _authority(options: ExportOptions) -> str:
    """Who is asked on behalf of the new side; the monolith decides by itself who calls."""
    if options.authority is None:
        return ""
    return f"""    location = /{_AUTHORITY} {{
        internal;
        if ($strangler_side = legacy) {{ return 204; }}
        proxy_pass {options.authority.scheme}://{_upstream_name(_AUTHORITY)};
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header X-Original-Method $request_method;
        proxy_set_header X-Original-URI $request_uri;
    }}
"""


def _origin_of(service: Service) -> str:
    return quoted(f"{service.scheme}://{_upstream_name(service.name)}")
