"""Writes docs/settings.md: `make settings-doc`. Names, defaults and words come from the code, their meanings from here.

A word that the code has and this file does not, or the other way round, fails the test beside it.
"""

import ast
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

import chassis.registrar.settings
import examples.monolith.settings
import examples.service.settings
import extracted.account.settings
import extracted.learning.settings
import extracted.mailer.settings
import extracted.runner.settings
import extracted.shop.settings
import legacy_adapter.identity
import strangler_gateway.settings
from chassis.discovery.port import WatchStatus
from chassis.service.metrics import Metric
from strangler_gateway.admin.gateways import store_metrics
from strangler_gateway.admin.views import discovery_metrics
from strangler_gateway.exchange import decision
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.head_memory import HeadMemory
from strangler_gateway.exchange.replies import FAILED
from strangler_gateway.http.proxy_status import ErrorType
from strangler_gateway.http.request_head import RefusalReason, parse_request
from strangler_gateway.migration.states import RefusalCode
from strangler_gateway.table.routes import Movable, Route, RouteTable, Service
from strangler_gateway.telemetry.access_log import AccessLog
from strangler_gateway.telemetry.bulkheads import bulkhead_metrics
from strangler_gateway.telemetry.instances import instance_metrics
from strangler_gateway.telemetry.publish_stats import FAILURES
from strangler_gateway.upstream.discovery import DiscoveryReport

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"

DEPLOYABLES: tuple[tuple[str, str, type[BaseSettings]], ...] = (
    (
        "Gateway",
        "`strangler serve`. An option of the command line wins over the variable.",
        strangler_gateway.settings.Settings,
    ),
    ("Account", "`python -m extracted.account`.", extracted.account.settings.Settings),
    ("Shop", "`python -m extracted.shop`.", extracted.shop.settings.Settings),
    ("Learning", "`python -m extracted.learning`.", extracted.learning.settings.Settings),
    ("Mailer", "`python -m extracted.mailer`.", extracted.mailer.settings.Settings),
    ("Runner", "`python -m extracted.runner`.", extracted.runner.settings.Settings),
    (
        "PolyCode's identity plugin",
        '`identity: {plugin: "legacy_adapter.identity:from_environment"}`, in the gateway\'s process.',
        legacy_adapter.identity.Settings,
    ),
    ("Registrar", "`python -m chassis.registrar`.", chassis.registrar.settings.RegistrarSettings),
    ("The smallest service", "`python -m examples.service.main`.", examples.service.settings.Settings),
)

STAND_IN = {
    "AUTH_JWT_SECRET": "the secret that tokens are signed with; default: a file beside the SQLite database",
    "AUTH_JWT_SECRET_FILE": "a file that contains it",
    "AUTH_JWT_ISSUER": "`iss` of the tokens; default `https://auth.app`",
    "AUTH_JWT_AUDIENCE": "`aud` of the tokens; default `https://api.app`",
    "NODE_ENV": "`production` (default): helmet's header fields and short errors",
    "EMAIL_PROVIDER": "`SMTP` or `FAKE`; default: `SMTP` if `SMTP_HOST` is set",
    "SMTP_HOST": "the mail server; default: no mail is sent",
    "SMTP_PORT": "its port; default 587, or 465 with `SMTP_SECURE`",
    "SMTP_SECURE": "`true`: TLS from the first byte",
    "SMTP_USER": "the user at the mail server",
    "SMTP_PASSWORD": "its password",
    "MAIL_FROM_DO_NOT_REPLY": "the address of the sender; default `noreply@polycode.do-2021.fr`",
    "MAIL_FROM_DO_NOT_REPLY_NAME": "the name of the sender; default `PolyCode`",
    "PUBLIC_WWW_URL": "the URL that links begin with; default `http://localhost`",
    "EMAIL_VERIFICATION_PATH": "the page that verifies an address; default `/email/verification/`",
    "EMAIL_TEAMS_PATH": "the page of teams; default `/teams`",
    "RUNNER_API_URL": "the runner; default: no code runs",
    "LEAKING_POOL": "how many connections failed purchases can leak, as in the monolith; default: none leaks",
    "PASSWORD_ROUNDS": "bcrypt's cost, 4 to 31; default 10",
}
COMMANDS = {
    "STRANGLER_ADMIN_URL": "`strangler`: the admin ports of one or more gateways, separated by commas; default `http://127.0.0.1:8081`",
    "STRANGLER_ADMIN_TOKEN": "`strangler`: the operator's or reader's credential; also `STRANGLER_ADMIN_TOKEN_FILE`",
    "POLYCODE_ACCOUNT_URL": "`polycode`: Account; default `http://127.0.0.1:8103`",
    "POLYCODE_SHOP_URL": "`polycode`: Shop; default `http://127.0.0.1:8102`",
    "POLYCODE_LEARNING_URL": "`polycode`: Learning; default `http://127.0.0.1:8106`",
    "POLYCODE_MAILER_URL": "`polycode`: Mailer; default `http://127.0.0.1:8104`",
    "POLYCODE_OPERATOR_TOKEN": "`polycode`: the operators' credential; also `POLYCODE_OPERATOR_TOKEN_FILE`",
}

HEADERS = {
    "Strangler-Debug": "request: the debug credential, `STRANGLER_DEBUG_TOKEN`. The answer then has Strangler-Decision",
    "Strangler-Override": "request: `legacy` or `extracted`, the side to use. Only with Strangler-Debug, else it is"
    " ignored; a group in legacy or retired ignores it, too",
    "Strangler-Decision": "answer: `SIDE; REASON; ROUTE`, for a caller with the debug credential",
    "Strangler-Timeout-Ms": "request to a service: how many milliseconds the gateway still waits for the answer",
    "Strangler-Shadow": "request to a service: `1`: a second call, whose answer no user gets",
    "X-Strangler-Client-Address": "request to a service, beside the internal token: the client's address, where"
    " the route has `pass_on: [address]`",
    "X-Strangler-Client-Credential": "the same: the `Authorization` that the client sent, with `pass_on: [credential]`",
    "X-Request-Id": "request: the client's, if it has at most 128 letters, digits and `._:/+=@-`; else the gateway's."
    " The log line has it as `request_id`",
    "Proxy-Status": "answer: only if the gateway made it itself; `error=` has a word of the table below (RFC 9209)",
}

LOG_FIELDS = {
    "event": "`request`",
    "at": "when it ended, Unix seconds",
    "request_id": "X-Request-Id",
    "route": "the route's id",
    "method": "the method, at most 32 bytes",
    "status": "the status that the client got; 499: the client left before there was one",
    "side": "`legacy`, `extracted`, or `gateway` if no side was chosen",
    "reason": "why this side: see below",
    "ms": "milliseconds from the request's head to the end of the answer",
    "failed": "where: `connect`, `response`, `body` (upstream), `identity`, `publish`, `client` (it left), or empty",
    "proxy_status": "only if the gateway failed the request: the word of Proxy-Status",
    "path": "only with `STRANGLER_LOG_FIELDS=path`: the path without its query, at most 1024 bytes",
    "user": "only with `STRANGLER_LOG_FIELDS=user`: the user's id, or null; a group in legacy asks for none",
}
REFUSED_FIELDS = {
    "event": "`refused`",
    "at": "Unix seconds",
    "peer": "the address of the other end of the connection",
    "status": "the status that it got",
    "reason": "what is wrong: see below",
    "proxy_status": "the word of Proxy-Status",
    "message": "the sentence that it got",
    "more": "how many of this peer (IPv6: of its /64) were refused without a line since its last one",
}
PROXY_STATUS: dict[str, str] = {
    "connection_limit_reached": "503: too many client connections, or too many requests at once to a service",
    "connection_read_timeout": "the upstream stopped in the middle of its answer",
    "connection_refused": "502: the upstream refuses connections",
    "connection_terminated": "502: the upstream closed the connection without an answer",
    "connection_timeout": "504: the upstream did not accept a connection in time (`timeout_s.connect`)",
    "destination_ip_unroutable": "502: the upstream's address cannot be reached",
    "destination_unavailable": "503: an open breaker, no instance, or a broker that did not take the message",
    "dns_error": "502: the upstream's name cannot be resolved",
    "http_protocol_error": "502: the upstream's answer is not valid HTTP",
    "http_request_denied": "401, 403, 429, 503: a rule of routes.yaml, or too much at once",
    "http_request_error": "4xx, 501, 505: the client's request is malformed, too long or too late",
    "http_response_header_section_size": "502: the upstream's header section is too long",
    "http_response_incomplete": "the upstream closed the connection in the middle of its answer",
    "http_response_timeout": "504: the upstream did not answer in time (`timeout_s.response`)",
    "http_response_transfer_coding": "502: the upstream's transfer coding is unknown",
    "http_upgrade_failed": "502: the upstream switched to a protocol that nobody asked for",
    "proxy_internal_error": "500: a fault of the gateway; 503: the identity cannot be established now",
    "proxy_loop_detected": "502: an upstream leads back to this gateway",
    "tls_certificate_error": "502: the upstream's certificate is not trusted",
    "tls_protocol_error": "502: the TLS handshake with the upstream failed",
}
REFUSED: dict[str, str] = {
    "request_line": "400: it does not begin with a method, or has no `method target HTTP/1.1`",
    "version": "505: not HTTP/1",
    "target": "400, 501: a fragment, CONNECT, or a target that is neither a path nor an http URL",
    "fields": "400: a malformed header field or line end",
    "host": "400: Host is missing, double, or not `host[:port]`",
    "framing": "400, 501: Content-Length and Transfer-Encoding contradict, or cannot be read",
    "expectation": "417: an expectation other than 100-continue",
    "too_long": "414, 431: request line, header section or number of fields",
    "late": "408: the header section did not arrive in time",
    "too_many_connections": "503: `STRANGLER_MAX_CONNECTIONS`",
    "overloaded": "503: this process cannot keep up: the request waited for `STRANGLER_QUEUE_WAIT_S`, or would have",
}
REASONS = {
    "state_legacy": "the group is in legacy",
    "state_shadow": "the group is in shadow",
    "state_extracted": "the group is in extracted",
    "state_retired": "the group is retired",
    "no_new_end": "the route has neither `extracted:` nor `publish:`",
    "share_in": "canary: the user is in the share",
    "share_out": "canary: the user is not in the share",
    "anonymous": "canary: nobody is known, and `anonymous` gives no bucket",
    "breaker_open": "canary: the service's breaker is open, so a safe request goes to legacy",
    "failover": "canary: the service did not answer a safe request, so legacy did",
    "override": "Strangler-Override",
    "identity_unavailable": "the identity cannot be established, so the monolith decides",
    "own_reply": "the gateway answered before a side was chosen",
}
REFUSALS: dict[str, str] = {
    "counters": "not every gateway has told its counters, or one has lost a part of them: all count anew. `--force`"
    " overrides it",
    "decided": "`adopt`: the group has a state that somebody decided",
    "differences": "shadow: too many compared answers differ",
    "held": "a rollback has put the group on hold: release it first",
    "journal": "the journal cannot be written",
    "legacy_traffic": "retired: the monolith has had requests within `retire_after`",
    "members": "another gateway does not report that it knows what this one knows",
    "moved": "shadow: too many answers differed only until they were read again",
    "never_asked": "canary: legacy was asked for a route that the new side never was",
    "no_new_end": "no route of the group has a new end, or one that should retire has none",
    "not_compared": "shadow has compared nothing",
    "not_ready": "the service's `health:` does not answer 2xx",
    "not_served": "the new table cannot be served",
    "overtaken": "somebody else has moved the group in the meantime, or has rolled it back",
    "own_data": "`data: own` and a route that writes cannot be split in canary",
    "report": "retired: it needs a retire report that is a proof, and not older than a day",
    "retired": "only a rollback leaves retired",
    "sizes": "answers of the new side are clearly larger or smaller than legacy's",
    "slow": "the new side takes clearly longer than legacy",
    "step": "a flip goes one state at a time",
    "store": "the store that the gateways share does not answer",
    "unreachable": "the service does not accept a connection, or the broker lacks the queue",
    "unserved": "the service's readiness says that it does not serve a route",
    "users": "canary: more users have failures on the new side",
    "wait": "the gate has not seen enough yet",
    "why": "a flip forward needs `--why`",
    "worse": "canary: the new side fails more often than legacy",
}
PUBLISH = {
    "invalid": "the client's mistake: 400, 401, 413 or 415",
    "unsent": "there is no broker, or it does not answer: nothing was sent",
    "refused": "the broker refused the message",
    "unconfirmed": "the broker did not confirm in time: it may have the message",
    "busy": "too many requests wait for their outcome",
}

INTRODUCTION = (
    "# Settings, header fields and words",
    "",
    "Generated from the code by `make settings-doc`; a test checks that it is current. The fields of routes.yaml are in"
    " [routes.md](routes.md).",
    "",
    "Settings are environment variables. A variable marked *secret* can also come from a file: set the same name with"
    " `_FILE` at its end to the path. Times are in seconds, sizes in bytes. Secrets never stand in a log, an error or a"
    " listing.",
)


def page() -> str:
    """The whole page."""
    return "\n\n".join(map("\n".join, _sections())) + "\n"


def _sections() -> Iterator[list[str]]:
    yield [*INTRODUCTION]
    for title, how, settings in DEPLOYABLES:
        yield [f"## {title}", "", how, "", *_settings_table(settings)]
    yield ["## The stand-in monolith", "", "`python -m examples.monolith`.", "", *_table("variable", STAND_IN)]
    yield ["## Commands", "", *_table("variable", COMMANDS)]
    yield ["## Header fields", "", *_table("field", HEADERS)]
    yield ["## Log lines", "", "One JSON object a line. A request:", "", *_table("field", LOG_FIELDS)]
    yield ["A request that is refused before its route is known:", "", *_table("field", REFUSED_FIELDS)]
    yield ["Other lines have `timestamp`, `level`, `logger`, `service` and `event`, the sentence."]
    yield ["## Why a side was chosen: `reason`", "", *_table("word", REASONS)]
    yield ["## Why a request failed: `proxy_status`", "", *_table("word", PROXY_STATUS)]
    yield ["## Why a request was refused before its route was known: `reason`", "", *_table("word", REFUSED)]
    yield ["## Why a message was not confirmed: `strangler_publish_failures_total`", "", *_table("word", PUBLISH)]
    about = "One sample for each service, and where the name is about an instance for each of its instances."
    yield ["## Metrics of services: `strangler_upstream_…`", "", about, "", *_table("metric", _upstream_metrics())]
    about = "The first of each service with `discover:`, the others of a gateway with `STRANGLER_STORE`."
    yield ["## Metrics of discovery and of several gateways", "", about, "", *_table("metric", _shared_metrics())]
    yield ["## Why a move was refused: `code`", "", *_table("code", REFUSALS)]


def _upstream_metrics() -> dict[str, str]:
    return _explained(*bulkhead_metrics(()), *instance_metrics(()))


def _shared_metrics() -> dict[str, str]:
    discovered = discovery_metrics({"": DiscoveryReport("", WatchStatus(), ())})
    return _explained(*discovered, *store_metrics(reachable=True, gateways=2, lagging=0, drives=False))


def _explained(*every: Metric) -> dict[str, str]:
    return {metric.name: f"{metric.kind}: {metric.help[0].lower()}{metric.help[1:-1]}" for metric in every}


def _table(name: str, rows: Mapping[str, str]) -> list[str]:
    return [f"| {name} | meaning |", "|---|---|", *(f"| `{word}` | {text} |" for word, text in rows.items())]


def _settings_table(settings: type[BaseSettings]) -> list[str]:
    meanings = _meanings(settings)
    rows = ["| variable | value | default | meaning |", "|---|---|---|---|"]
    for name, field in settings.model_fields.items():
        default = "required" if field.is_required() else _default(field.default)
        rows.append(f"| `{_variable(settings, name, field)}` | {_value(field)} | {default} | {meanings[name]} |")
    return rows


def _variable(settings: type[BaseSettings], name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    assert not isinstance(alias, AliasChoices)
    return str(alias or f"{settings.model_config.get('env_prefix', '')}{name}".upper())


def _meanings(settings: type[BaseSettings]) -> dict[str, str]:
    """The docstring below each field, also of the classes that it inherits from."""
    found: dict[str, str] = {}
    for kind in settings.__mro__:
        if kind is BaseSettings:
            break
        [tree] = ast.parse(inspect.getsource(kind)).body
        assert isinstance(tree, ast.ClassDef)
        for field, below in zip(tree.body, tree.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(field.target, ast.Name):
                text = ast.literal_eval(below.value)
                found.setdefault(field.target.id, " ".join(text.split()).replace("None: ", "Not set: "))
    return found


def _default(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _value(field: FieldInfo) -> str:
    kinds = [kind for kind in get_args(field.annotation) or (field.annotation,) if kind is not type(None)]
    if get_origin(field.annotation) is Literal:
        return " or ".join(f"`{word}`" for word in get_args(field.annotation))
    if isinstance(kinds[0], type) and issubclass(kinds[0], StrEnum):
        return " or ".join(f"`{word.value}`" for word in kinds[0])
    words = {SecretStr: "secret", Path: "path", int: "whole number", float: "number", bool: "`true` or `false`"}
    word = next((words[kind] for kind in kinds if kind in words), "text")
    signs = (("ge", "≥"), ("gt", ">"), ("le", "≤"))
    limits = [f"{sign} {getattr(rule, name)}" for rule in field.metadata for name, sign in signs if hasattr(rule, name)]
    return f"{word} {', '.join(limits)}".strip()


# What the code has.


def environment_of(module: Any) -> set[str]:
    """The names of the variables that a module without a Settings class reads."""
    nodes = ast.walk(ast.parse(inspect.getsource(module)))
    texts = {str(node.value) for node in nodes if isinstance(node, ast.Constant)}
    return {text for text in texts if text.isupper() and text.isidentifier() and len(text) > 4}


def reasons() -> set[str]:
    """The words that a decision can have."""
    values: list[Any] = [*vars(decision).values(), *vars(decision)["_OVERRIDE"].values()]
    return {one.reason for one in values if isinstance(one, decision.Decision)}


def log_line(event: str) -> dict[str, Any]:
    """A line with every field that it can have."""

    class Kept(BytesIO):
        def fileno(self) -> int:
            raise OSError

    log = AccessLog(Kept(), ("path", "user"))
    if event == "refused":
        log.refused("192.0.2.1", "host", FAILED, 0.0, 0)
    else:
        monolith = Service("m", "http", "h", 80)
        route = Route("all", "/{rest...}", None, Movable("all", "route"), monolith)
        table = RouteTable("d", (route,), {"m": monolith}, {"all": route.movable})
        head = parse_request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 100, 100, 10)
        exchange = Exchange(head, HeadMemory(), table, "", b"http", 0.0)
        exchange.proxy_status = b"dns_error"
        log.request(exchange, 0.0, 0.0)
    found: dict[str, Any] = json.loads(b"".join(log._lines))
    return found


WORDS: tuple[tuple[Mapping[str, str], set[str]], ...] = (
    (PROXY_STATUS, set(get_args(ErrorType))),
    (REFUSED, {*get_args(RefusalReason), "late", "too_many_connections", "overloaded"}),
    (REASONS, {*reasons(), "own_reply"}),
    (REFUSALS, set(get_args(RefusalCode))),
    (PUBLISH, set(FAILURES)),
    (LOG_FIELDS, set(log_line("request"))),
    (REFUSED_FIELDS, set(log_line("refused"))),
    (STAND_IN, environment_of(examples.monolith.settings) - {"SMTP"}),
)
"""What this file explains, and what the code has."""

if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
