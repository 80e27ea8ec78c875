"""Turns the checked file into the table that serves requests."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chassis.discovery.port import Instance
from strangler_gateway.config.addresses import network
from strangler_gateway.config.compile_aggregate import compile_aggregate
from strangler_gateway.config.compile_breaker import breaker_fields
from strangler_gateway.config.compile_plan import compile_plan
from strangler_gateway.config.identity_model import IdentityEntry, identity_entries
from strangler_gateway.config.model import (
    AuthRules,
    BreachEntry,
    GateEntry,
    GroupEntry,
    LimitEntry,
    MovableFields,
    OperatorsEntry,
    RouteEntry,
    RoutesFile,
    ServiceEntry,
    ShadowEntry,
)
from strangler_gateway.config.publish_model import PublishEntry
from strangler_gateway.config.resilience_model import BalanceEntry
from strangler_gateway.table import routes as r
from strangler_gateway.table.rules.accept import AcceptRule
from strangler_gateway.table.rules.balance import BalanceRules, EjectRules
from strangler_gateway.table.rules.publish import BodyField, OutcomeRule, PublishRules
from strangler_gateway.table.rules.resilience import QueueRules, RetryRules
from strangler_gateway.table.template import parse


def compile_table(file: RoutesFile, lines: Sequence[int]) -> r.RouteTable:
    """The table of a file without faults; `lines` holds the line of each route."""
    new_ends = {route.extracted for route in file.routes} - {route.legacy for route in file.routes}
    services = {name: _service(name, entry, name in new_ends) for name, entry in file.services.items()}
    movables = {name: _movable(name, group) for name, group in file.groups.items()}
    movables |= {entry.id: _movable(entry.id, entry) for entry in file.routes if entry.group is None}
    last = len(file.routes) - 1
    routes = tuple(
        _route(entry, movables, services, line=line, undeclared=at == last, accept=_accepted(entry, file))
        for at, (entry, line) in enumerate(zip(file.routes, lines, strict=True))
    )
    return r.RouteTable(
        digest="",
        routes=routes,
        services=services,
        movables=movables,
        paths=r.PathRules(**file.paths.model_dump()),
        identity=tuple(_identity(entry) for _, entry in identity_entries(file.identity) if entry.enabled),
        trusted_proxies=tuple(network(text) for text in file.trusted_proxies),
        identity_headers=tuple(file.identity_headers),
        errors={status: r.ErrorTemplate(**entry.model_dump()) for status, entry in file.errors.items()},
        reflects_origin=file.cors == "reflect",
    ).sealed()


def _service(name: str, entry: ServiceEntry, is_new_end: bool) -> r.Service:
    address, *others = entry.addresses
    return r.Service(
        name=name,
        scheme=address.scheme,
        host=address.host,
        port=address.port,
        unix=address.unix,
        base_path=address.base_path.encode(),
        timeouts=r.ServiceTimeouts(**entry.timeout_s.model_dump()),
        host_policy=entry.host,
        tls=_tls(entry, address.host),
        max_connections=entry.max_connections,
        **breaker_fields(entry.breaker),
        max_concurrency=entry.max_concurrency,
        queue=QueueRules(entry.queue.max, entry.queue.wait),
        retry=RetryRules(entry.retry.budget, entry.retry.floor),
        websocket_ping_s=entry.websocket_ping_s,
        health=entry.health,
        health_interval_s=entry.health_interval_s,
        operators=_operators(entry.operators),
        balance=_balance(entry.balance),
        identity_headers=entry.identity_headers,
        lenient=entry.lenient,
        upgrade=tuple(name.encode() for name in entry.upgrade),
        half_close=entry.half_close,
        credentials=entry.credentials,
        instances=tuple(Instance(one.authority, one.host, one.port, one.unix) for one in entry.addresses)
        if others
        else (),
        is_new_end=is_new_end,
        discover=entry.discover,
    )


def _operators(entry: OperatorsEntry | None) -> r.OperatorsRules | None:
    """None where a variable leaves the place of the token empty."""
    if entry is None or not (entry.token_file or entry.token_env):
        return None
    return r.OperatorsRules(**entry.model_dump())


def _balance(entry: BalanceEntry) -> BalanceRules:
    usual, eject = BalanceRules(), entry.eject
    slow_start_s = entry.slow_start if entry.slow_start is not None else entry.slow_start_s
    out_s = eject.out or eject.out_s or usual.eject.out_s
    return BalanceRules(
        usual.slow_start_s if slow_start_s is None else slow_start_s,
        EjectRules(eject.failures, eject.rate / 100, out_s, eject.max / 100),
    )


def _tls(entry: ServiceEntry, host: str) -> r.ServiceTls:
    """A discovered instance is verified under the name that is looked for: its address is in no certificate."""
    tls = r.ServiceTls(**entry.tls.model_dump()) if entry.tls else r.ServiceTls()
    return replace(tls, server_name=tls.server_name or host) if entry.discover else tls


def _movable(name: str, entry: MovableFields) -> r.Movable:
    return r.Movable(
        name=name,
        kind="group" if isinstance(entry, GroupEntry) else "route",
        state=r.MigrationState(entry.state),
        share=round(entry.share * 100),
        salt=entry.salt or name,
        data=entry.data,
        anonymous=entry.anonymous,
        serialize=entry.serialize,
        retire_after_s=entry.retire_after,
        gate=_gate(_required(entry), latency_required=bool(entry.plan and entry.plan.require.p95_ratio)),
        plan=compile_plan(entry.plan, entry.data) if entry.plan else None,
    )


def _required(entry: MovableFields) -> GateEntry:
    """The gate with what the plan requires: a person's flip is judged by the same."""
    require = entry.plan.require if entry.plan else None
    given = {"parity": require.parity, "delta": require.delta} if require else {}
    ratio = {"p95_ratio": require.p95_ratio} if require and require.p95_ratio else {}
    return entry.gate.model_copy(update={name: 100 * part for name, part in given.items() if part is not None} | ratio)


def _gate(entry: GateEntry, *, latency_required: bool) -> r.GateRules:
    """A small `min` of one's own also counts in shadow, and twice above 10 %, like the defaults."""
    defaults = r.GateRules()
    least = entry.min or defaults.min
    delta = entry.delta / 100 if entry.delta else None
    return r.GateRules(
        min=least,
        delta=delta,
        min_above_10=entry.min_above_10 or 2 * least,
        delta_above_10=entry.delta_above_10 / 100 if entry.delta_above_10 else delta and delta / 2,
        min_shadow=entry.min_shadow or min(least, defaults.min_shadow),
        parity=entry.parity / 100 if entry.parity else None,
        latency=entry.latency,
        sizes=entry.sizes,
        p95_ratio=entry.p95_ratio,
        min_latency=entry.min_latency,
        min_pairs=entry.min_pairs,
        latency_slack_s=entry.latency_slack,
        latency_skip_s=entry.latency_skip,
        latency_window_s=entry.latency_window,
        exercised_days=entry.exercised_days,
        latency_required=latency_required,
        breach=_breach(entry.breach),
    )


def _breach(entry: BreachEntry) -> r.BreachRules:
    return r.BreachRules(
        points=entry.points,
        hard=entry.hard / 100,
        above=entry.above / 100,
        times=entry.times,
        margin=entry.margin / 100,
        per_second=entry.per_second,
        remember_s=entry.remember,
    )


def _route(
    entry: RouteEntry,
    movables: Mapping[str, r.Movable],
    services: Mapping[str, r.Service],
    *,
    line: int,
    undeclared: bool,
    accept: tuple[AcceptRule, ...],
) -> r.Route:
    methods = entry.match.methods
    return r.Route(
        id=entry.id,
        path=entry.match.path,
        methods=frozenset(method.encode() for method in methods) if methods else None,
        movable=movables[entry.group or entry.id],
        legacy=services[entry.legacy],
        extracted=services[entry.extracted] if entry.extracted else None,
        publish=_publish(entry.publish) if entry.publish else None,
        aggregate=compile_aggregate(entry.aggregate) if entry.aggregate else None,
        new=entry.new,
        accept=accept,
        variables=parse(entry.match.path).variables,
        auth=_auth(entry.auth),
        shadow=_shadow(entry.shadow) if entry.shadow else None,
        limit=_limit(entry.limit) if entry.limit else None,
        max_body=entry.max_body,
        rewrite=r.Rewrite(**entry.rewrite.model_dump()),
        ambiguous=entry.ambiguous,
        undeclared=undeclared,
        line=line,
    )


def _accepted(entry: RouteEntry, file: RoutesFile) -> tuple[AcceptRule, ...]:
    """Of the route and its group."""
    group = file.groups.get(entry.group) if entry.group else None
    return tuple(AcceptRule(**one.model_dump()) for one in (*(group.accept if group else ()), *entry.accept))


def _auth(rules: AuthRules) -> r.Auth:
    require = rules.require
    needed = require if isinstance(require, str) else frozenset(require.roles)
    return r.Auth(needed, rules.enforce, tuple(sorted(set(rules.pass_on))))


def _limit(entry: LimitEntry) -> r.RateLimit:
    return r.RateLimit(entry.text, entry.by, entry.burst, entry.unavailable)


def _shadow(entry: ShadowEntry) -> r.ShadowRules:
    lists = {name: tuple(getattr(entry, name)) for name in ("ignore", "unordered")}
    return r.ShadowRules(
        pure=entry.pure,
        share=round(entry.share * 100),
        timeout_s=entry.timeout_s,
        concurrency=entry.concurrency,
        max_body=entry.max_body,
        headers=tuple(name.lower() for name in entry.headers),
        show_values=entry.show_values,
        **lists,
    )


def _publish(entry: PublishEntry) -> PublishRules:
    lists = {
        "body": tuple(BodyField(name, **field.model_dump()) for name, field in entry.body.items()),
        "outcomes": tuple(OutcomeRule(word, **outcome.model_dump()) for word, outcome in entry.outcomes.items()),
        "headers": tuple(entry.headers.items()),
    }
    return PublishRules(**entry.model_dump(exclude=set(lists)), **lists)  # type: ignore[arg-type]  # each by its own name


def _identity(entry: IdentityEntry) -> r.IdentityRules:
    if entry.plugin:
        return r.IdentityRules("plugin", plugin=entry.plugin)
    if entry.jwt:
        given = entry.jwt.model_dump()
        return r.IdentityRules(
            "jwt", options=tuple((name, value) for name, value in given.items() if _counts(name, value))
        )
    assert entry.introspect is not None  # the model has looked
    return r.IdentityRules("introspect", options=tuple(entry.introspect.model_dump().items()))


def _counts(name: str, value: object) -> bool:
    """Options that are younger than digests count where they are written, so that an upgrade changes no digest."""
    return value is not None or name not in ("azp", "typ", "scheme", "confirm", "exchange")
