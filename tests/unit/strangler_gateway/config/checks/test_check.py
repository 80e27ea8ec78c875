"""`strangler check`: all faults of a routes file at once, each with its line, what was seen and what to do."""

import json
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strangler_gateway.config.checks.check import MAX_FAULTS, Report, check_text
from strangler_gateway.table.routes import RouteTable
from tests.support.effort import examples

SERVICES = "services: {monolith: {url: 'http://m:1'}, shop: {url: 'http://s:1'}}"
LAST = "- {id: rest, match: {path: '/{rest...}'}, legacy: monolith}"
PUBLISH = "exchange: e, type: a.b.v1, replies: r, outcomes: {accepted: {status: 204}}"
MANY = "{path: /user/1, each: 'c0:'}"
SHADOWED = 'line 6: routes[1].match.path: never reached: the route "a" on line 5 takes'
ASKS = "auth: {require: authenticated, enforce: gateway}"


def file(*routes: str, head: str = "paths: {}", services: str = SERVICES, last: str = LAST) -> str:
    return "\n".join(["version: 1", services, head, "routes:", *routes, last])


def top(head: str) -> str:
    return file(head=head)


def route(fields: str, head: str = "paths: {}", match: str = "path: '/r'") -> str:
    return file(f"- {{id: r, match: {{{match}}}, legacy: monolith, {fields}}}", head=head)


def at(path: str) -> str:
    return route("auth: {}", match=f"path: '{path}'")


def by(methods: str) -> str:
    return route("auth: {}", match=f"path: '/r', methods: {methods}")


def two(first: str, second: str, head: str = "paths: {}") -> str:
    named = (("a", first), ("b", second))
    return file(*(f"- {{id: {name}, match: {{{match}}}, legacy: monolith}}" for name, match in named), head=head)


def planned(plan: str, more: str = "state: legacy") -> str:
    return top(f"groups: {{g: {{{more}, plan: {{{plan}}}}}}}")


def publishing(*more: str, publish: str = PUBLISH, match: str = "methods: [POST], path: '/r'", rest: str = ASKS) -> str:
    return route(", ".join([f"publish: {{{', '.join([publish, *more])}}}", rest]), match=match)


def aggregating(calls: str, rest: str = "new: true", match: str = "methods: [GET], path: '/me/{x}'") -> str:
    """Beside a route of its calls, and another one of several calls."""
    one = f"- {{id: r, match: {{{match}}}, legacy: monolith, {rest}, aggregate: {{{calls}}}}}"
    two = "- {id: o, match: {methods: [GET], path: '/o'}, legacy: monolith, aggregate: {calls: {u: {path: '/user/1'}}}}"
    return file(one, "- {id: user, match: {path: '/user/{id}'}, legacy: monolith, extracted: shop}", two)


def calling(a: str, b: str = "path: '/user/2'", more: str = "deadline_s: 5") -> str:
    return aggregating(f"calls: {{a: {{{a}}}, b: {{{b}}}}}, {more}")


def service(url: str) -> str:
    return file(services=f"services: {{monolith: {{{url}}}}}")


def check(text: str, **environ: str) -> Report:
    return check_text(text, environ)


def served(text: str, **environ: str) -> RouteTable:
    table = check(text, **environ).table
    assert table is not None
    return table


def faults(text: str, **environ: str) -> list[str]:
    return [str(fault) for fault in check(text, **environ).faults]


def only_fault(text: str, **environ: str) -> str:
    found = faults(text, **environ)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1: the file is empty"),
        ("just a text", "line 1: the file is not a mapping; it begins with `version: 1`"),
        (file().replace("version: 1", "version: 2"), "line 1: version: wanted 1, seen 2"),
        (file().replace("version: 1", "zebra: red\nversion: 1"), 'line 1: zebra: unknown field "zebra"; known here'),
        (top("grops: {}"), 'line 3: grops: unknown field "grops"; did you mean "groups"?'),
        (top("groups: {g: {stat: legacy}}"), 'groups.g.stat: unknown field "stat"; did you mean "state"?'),
        (top("errors: {teapot: {content_type: a/b, body: x}}"), '"teapot" is neither default nor'),
        (top("errors: {200: {content_type: a/b, body: x}}"), '"200" is neither default nor a status'),
        (top("errors: {500: {content_type: html, body: x}}"), "content_type: wanted a media type"),
        (top("identity: {}"), "identity: wanted one of jwt, introspect and plugin"),
        (top("identity: [none]"), 'identity[0]: wanted a mapping, seen "none"'),
        (top("identity: []"), "identity: is empty; at least one entry is required"),
        (top("identity: 3"), "identity: wanted none, a mapping with one key (jwt, introspect or plugin), or a list"),
        (
            top("identity: [{plugin: 'a:b', colour: red}]"),
            'identity[0].colour: unknown field "colour"; known here: ena',
        ),
        (top("identity: [{plugin: 'a:b', enabled: 'yes'}]"), "identity[0].enabled: wanted true or false"),
        (top("identity: [{plugin: 'a:b', jwt: {key_env: K}}]"), "identity[0]: wanted one of jwt, introspect and plug"),
        (
            top("identity: [{plugin: 'a:b'}, {jwt: {key_env: K, confirm: {url: 'http://a', timeout: 1}}}]"),
            'identity[1].jwt.confirm.timeout: unknown field "timeout"; did you mean "timeout_s"?',
        ),
        (top("identity: {jwt: {key_env: K, leeway_s: 301}}"), "identity.jwt.leeway_s: wanted seconds from 0 to 300"),
        (
            top("identity: {jwt: {key_env: K, exchange: {url: 'http://a', audience: a}}}"),
            "identity.jwt: exchange needs issuer",
        ),
        (
            top("identity: {jwt: {key_env: K, issuer: a, cookie: b, exchange: {url: 'http://a', audience: a}}}"),
            "identity.jwt: exchange replaces Authorization",
        ),
        (top("identity: some"), "identity: wanted 'none', seen \"some\""),
        (top("identity: {plugin: nothing}"), 'identity.plugin: wanted "package.module:factory"'),
        (top("identity: {jwt: {issuer: a}}"), "identity.jwt: wanted exactly one source of keys"),
        (top("identity: {jwt: {key_env: K, algorithms: [none]}}"), "identity.jwt.algorithms[0]: wanted 'RS256'"),
        (top("identity: {introspect: {url: '/me'}}"), "introspect.url: wanted an http:// or https:// URL"),
        (top("identity: {introspect: {url: 'http://m', user: '$.a[*]'}}"), "wanted one place, without *"),
        (service("url: 'http://m', breaker: on"), "breaker: on is true to some YAML readers"),
        (service("url: 'http://m', breaker: 'on'"), "breaker: wanted 'off', seen \"on\""),
        (service("url: 'http://m', breaker: 3"), "breaker: wanted off, or a mapping such as {errors: 50%, min: 100}"),
        (service("url: 'http://m', breaker: {error: 50%}"), 'unknown field "error"; did you mean "errors"?'),
        (service("url: 'http://m', breaker: {errors: 0.5}"), "breaker.errors: wanted a percentage with its sign"),
        (service("url: 'http://m', breaker: {errors: 101%}"), "breaker.errors: wanted a percentage with its sign"),
        (service("url: 'http://m', breaker: {errors: 0%}"), 'breaker.errors: wanted more than "0%"'),
        (service("url: 'http://m', breaker: {open: 5}"), "breaker.open: wanted a duration with its unit"),
        (service("url: 'http://m', breaker: {open: 5s, open_s: 5}"), "breaker: open and open_s are the same time"),
        (
            service("url: 'http://m', balance: {slow_start: 1s, slow_start_s: 1}"),
            "balance: slow_start and slow_start_s are the same time",
        ),
        (service("url: 'http://m', balance: {eject: {out: 1s, out_s: 1}}"), "eject: out and out_s are the same time"),
        (service("url: 'http://m', balance: {eject: {out: 0s}}"), "eject.out: wanted seconds, more than 0"),
        (service("url: 'http://m', balance: {eject: {out: soon}}"), "eject.out: wanted a duration with its unit"),
        (service("url: 'http://m', balance: {eject: {rate: 101%}}"), "eject.rate: wanted a percentage with its sign"),
        (
            service("url: 'http://m', queue: {max: -1}"),
            "queue.max: Input should be greater than or equal to 0, seen -1",
        ),
        (service("url: 'http://m', retry: {budget: 20}"), "retry.budget: wanted a percentage with its sign"),
        (top("trusted_proxies: [10.0.0.1/8]"), '"10.0.0.1/8" is not a network such as 10.0.0.0/8'),
        (top("identity_headers: ['X User']"), "identity_headers[0]: is not a token"),
        (route("exctracted: shop"), 'exctracted: unknown field "exctracted"; did you mean "extracted"?'),
        (route("auth: {require: {roles: [a], role: b}}"), 'auth.require.role: unknown field "role"; did you mean'),
        (route("legacy: shop"), 'line 5: routes[0].legacy: the key "legacy" is used twice; it is already on line 5'),
        (route("extracted: chop"), '"chop" is not defined under services; defined there: monolith'),
        (route("group: g"), 'the group "g" is not defined under groups; defined there'),
        (route("group: r", "groups: {r: {}}"), '"r" is also the name of a group'),
        (route("group: g, state: legacy", "groups: {g: {}}"), '"state" belongs to the group'),
        (route("group: g, share: 5", "groups: {g: {}}"), '"share" belongs to the group'),
        (route("state: paused"), "wanted 'legacy', 'shadow', 'canary', 'extracted' or 'retired', seen"),
        (route("share: 101"), "routes[0].share: a share is a percentage from 0 to 100"),
        (route("share: -1"), "a share is a percentage from 0 to 100"),
        (route("share: 12.505"), "a share moves in steps of 0.01"),
        (route("share: '5'"), "wanted a number, seen a text"),
        (route("share: true"), "wanted a number, seen true or false"),
        (route("legacy_: x"), 'unknown field "legacy_"; did you mean "legacy"?'),
        (route("max_body: 10 megs"), 'max_body: wanted a number of bytes, or a text such as "10MiB"'),
        (route("limit: {rate: often}"), 'limit.rate: rate "often" cannot be read'),
        (route("limit: {}"), 'routes[0].limit: wanted rate: "100/minute", or rates: ["10/second", "100/minute"]'),
        (route("limit: {rate: 1/day, rates: [1/day]}"), 'routes[0].limit: wanted rate: "100/minute", or rates'),
        (route("limit: {rates: [1/second, often]}"), 'limit.rates[1]: rate "often" cannot be read'),
        (route("limit: {rates: [60/minute, 9 per 60 seconds]}"), "limit: two rates have windows of the same length"),
        (route("limit: {rate: 9999999999/second}"), 'limit.rate: rate "9999999999/second" is too large'),
        (route("limit: {rate: 1/day, burst: 0}"), "limit.burst: Input should be greater than or equal to 1"),
        (route("limit: {rate: 1/day, by: header}"), "limit.by: wanted 'user', 'address' or 'credential', seen"),
        (route("retire_after: 14"), 'retire_after: wanted a duration with its unit, such as "14d"'),
        (route("anonymous: maybe"), "anonymous: wanted legacy, address, random, cookie, or header:NAME"),
        (route("shadow: {ignore: [data]}"), 'shadow.ignore[0]: "data": a path begins with $'),
        (route("new: true, extracted: shop, shadow: {}"), "routes[0].shadow: the route is `new`"),
        (route("rewrite: {legacy: '/x/{who}'}"), "rewrite.legacy: {who} is not a variable of"),
        (route("rewrite: {extracted: 'x'}"), 'rewrite.extracted: "x" is not a path'),
        (route("auth: {require: admin}"), "auth.require: wanted 'open' or 'authenticated', seen \"admin\""),
        (route("auth: {require: 3}"), "auth.require: wanted open, authenticated, or {roles: [admin]}"),
        (two("path: '/a'", "path: '/b'").replace("id: b", "id: a"), 'the id "a" is already taken on line 5'),
        (at("a"), '"a" does not start with "/"'),
        (at("/a//b"), 'has an empty segment ("//")'),
        (at("/a/{b}c"), '"{b}c" is not a variable'),
        (at("/{a}/{a}"), 'names the variable "a" twice'),
        (at("/{a...}/b"), "takes the rest of the path; nothing can follow it"),
        (at("/a b"), '"a b" cannot occur in the path of a request'),
        (at("/a?b"), "cannot occur in the path of a request"),
        (at("/a/../b"), 'has a segment ".."'),
        (at("/a" * 65), "has 65 segments; at most 64 are allowed"),
        (at("/caf\u00e9"), "never reached: clients percent-encode such characters"),
        (by("[get]"), "methods are case-sensitive; write GET"),
        (by("GET"), "wanted a list"),
        (by("[]"), "is empty"),
        (by("[GET, GET]"), "names a method twice"),
        (by("[CONNECT]"), "does not support CONNECT"),
        (by(f"[{', '.join(f'M{n}' for n in range(65))}]"), "names 65 different methods; at most 64 are taken"),
        (file(last=LAST.replace("/{rest...}", "/r")), 'the last route is missing: the file ends with "rest"'),
        (file(last=LAST.replace("/{rest...}", "/r/{rest...}")), "the last route is missing"),
        (file(last=LAST.replace("match: {", "match: {methods: [GET], ")), "remove methods"),
        (publishing(rest=f"{ASKS}, extracted: shop"), "routes[0].publish: a route has one new end"),
        (publishing(match="path: '/r'"), "match.methods: a message changes something: wanted methods such as"),
        (publishing(match="methods: [PUT, GET], path: '/r'"), "match.methods: a message changes something: wanted"),
        (publishing(match="methods: [POST], path: '/r/{id}'"), "match.path: the message does not contain {id}"),
        (publishing(rest="auth: {}"), "routes[0].auth: a message carries a verified user"),
        (publishing(rest="max_body: 1KiB"), "routes[0].auth: a message carries a verified user"),
        (publishing(rest="auth: {require: open, enforce: gateway}"), "auth: a message carries a verified user"),
        (publishing(rest="auth: {require: {roles: [a]}}"), "auth: the consumer of a message cannot refuse a caller"),
        (publishing(rest=f"{ASKS}, shadow: {{}}"), "routes[0].shadow: a message is not sent twice"),
        (publishing(rest=f"{ASKS}, rewrite: {{extracted: '/x'}}"), "rewrite.extracted: a message has no path"),
        (publishing(publish=PUBLISH.replace("exchange: e, ", "")), '"exchange" is missing'),
        (publishing(publish=PUBLISH.replace("exchange: e", "exchange: 'a b'")), "exchange: a name at the broker"),
        (publishing(publish=PUBLISH.replace("a.b.v1", "a.b")), 'publish.type: "a.b" is not a message type'),
        (publishing(publish=PUBLISH.replace("{accepted: {status: 204}}", "{}")), "publish.outcomes: is empty"),
        (publishing(publish=PUBLISH.replace("204", "304")), "accepted.status: wanted a status that ends a request"),
        (publishing(publish=PUBLISH.replace("204", "100")), "accepted.status: wanted a status that ends a request"),
        (publishing(publish=PUBLISH.replace("204", "204, body: x")), "outcomes.accepted: 204 has no body"),
        (publishing(publish=PUBLISH.replace("204", "204, location: x")), 'location: "x" is not a path'),
        (publishing(publish=PUBLISH.replace("204", "204, location: '/{a...}'")), "names the rest of a path"),
        (publishing("location: '/r/{id}'"), "publish: location names {id}; before there is a reply"),
        (publishing("wait_s: 61"), "publish.wait_s: expected at most 60 seconds"),
        (publishing("confirm_s: 0"), "publish.confirm_s: Input should be greater than 0"),
        (publishing("body: {id: {type: uuid}}"), "publish.body.id.type: wanted 'string'"),
        (publishing("body: {id: {type: integer, format: uuid}}"), "format uuid is for strings"),
        (publishing("body: {'a b': {type: string}}"), "a field of the body has 1 to 64 letters"),
        (publishing("body: {id: {tipe: string, type: string}}"), 'did you mean "type"?'),
        (publishing("headers: {X: 'a\u00fc'}"), "publish.headers.X: wanted printable ASCII"),
        (publishing("queues: q"), 'unknown field "queues"; did you mean "queue"?'),
        (aggregating("calls: {}"), "routes[0].aggregate.calls: is empty"),
        (calling("path: '/user/1'", more="colls: {}"), 'unknown field "colls"; did you mean "calls"?'),
        (calling("path: '/user/1', aftr: [b]"), 'calls.a.aftr: unknown field "aftr"; did you mean "after"?'),
        (calling("path: 'user'"), 'line 5: routes[0].aggregate.calls.a.path: "user" is not a path'),
        (calling("path: '/user/{b'"), "has a brace of no reference"),
        (calling("path: '/user/é'"), "percent-encode the rest"),
        (calling("path: '/user/{y}'"), "calls.a.path: {y} is not a variable of the route's path; its variables: x"),
        (calling("path: '/user/{c:/id}'"), 'calls.a.path: there is no call "c"; the other calls: b'),
        (calling("path: '/user/1', after: [c]"), 'calls.a.after: there is no call "c"'),
        (calling("path: '/user/{each:/id}', each: 'c:'"), 'calls.a.each: there is no call "c"'),
        (calling("path: '/user/{each:/id}'"), "{each:/id} is an element of `each:`, and this call has none"),
        (calling("path: '/user/1', each: 'b'"), 'calls.a.each: "b" names no list; write call:/pointer'),
        (calling("path: '/user/1', each: 'identity:'"), "calls.a.each: wanted a list of another call"),
        (calling("path: '/user/{identity:/roles}'"), "of the verified user only {identity:/subject} is known"),
        (calling("path: '/user/{values:/a}'"), "is known only when all calls have ended"),
        (calling("path: '/user/1', pointer: data"), 'calls.a.pointer: "data": a JSON Pointer begins with /'),
        (calling("path: '/user/1', timeout_s: 61"), "calls.a.timeout_s: expected at most 60 seconds"),
        (calling("path: '/user/1', at_most: 21"), "calls.a.at_most: "),
        (calling("path: '/user/{a:/id}'"), "calls.a: waits for itself: a comes after a"),
        (calling("path: '/nowhere/{b:/id}'"), "calls.a.path: no route takes GET of this path; declare it"),
        (calling("path: '/o'"), 'calls.a.path: the route "o" takes it, which is no call'),
        (calling("path: '/user/1'", more="answer: {x: '{c:}'}"), 'aggregate.answer: there is no call "c"'),
        (calling("path: '/user/1'", more="answer: ['{a}']"), "aggregate.answer: {a} stands for nothing"),
        (aggregating("calls: {each: {path: '/user/1'}}"), "aggregate: no call can be called each"),
        (
            aggregating(f"calls: {{{', '.join(f'c{n}: {MANY}' for n in range(4))}}}"),
            "aggregate: one request can become 80 requests; at most 64 are taken",
        ),
        (aggregating("calls: {a: {path: '/user/1'}}", "extracted: shop"), "this one has `extracted:` as well"),
        (aggregating("calls: {a: {path: '/user/1'}}", "shadow: {}"), "routes[0].shadow: an answer of several calls"),
        (aggregating("calls: {a: {path: '/user/1'}}", "rewrite: {extracted: '/x'}"), "several calls have several"),
        (aggregating("calls: {a: {path: '/user/1'}}", "auth: {require: authenticated}"), "write enforce: gateway"),
        (aggregating("calls: {a: {path: '/user/1'}}", match="path: '/me'"), "methods: [GET], seen none are named"),
        (
            aggregating("calls: {a: {path: '/user/1'}}", match="methods: [GET, POST], path: '/me'"),
            "methods: [GET], seen GET, POST",
        ),
        (two("path: '/a/{x}'", "path: '/a/{y}'"), f"{SHADOWED} every method /a/{{y}}; remove one of the two"),
        (two("path: '/a'", "path: '/A'", "paths: {case_sensitive: false}"), SHADOWED),
        (two("path: '/a'", "path: '/a/'", "paths: {trailing_slash: ignore}"), SHADOWED),
        (two("path: '/%41'", "path: '/A'", "paths: {decode_literals: true}"), SHADOWED),
        (two("path: '/a', methods: [GET, POST]", "path: '/a', methods: [POST]"), f"{SHADOWED} POST /a"),
        (
            service("lenient: true"),
            'services.monolith: "url" is missing; write url: "http://host:port", urls: [...] of several',
        ),
        (service("url: http://m, urls: [http://m]"), 'monolith.urls: "url" says already where the service is'),
        (
            service("urls: [http://m, https://n]"),
            "monolith.urls[1]: has another scheme or base path than the first one",
        ),
        (service("urls: [http://m/a, http://n/b]"), "monolith.urls[1]: has another scheme or base path"),
        (service("urls: [http://m, http://n, 'http://m:80']"), "urls[2]: is the same instance as number 1"),
        (
            service("url: http://m, discover: 'consul://m'"),
            'monolith.discover: "url" says already where the service is',
        ),
        (service("url: http://m, scheme: https"), 'monolith.scheme: "scheme" is of services with discover:'),
        (service("discover: 'dns://m'"), "monolith.discover: the port is missing: DNS does not tell it"),
        (service("discover: 'consul://m', path: api"), "monolith.path: wanted a path such as /api"),
        (service("urls: []"), "services.monolith.urls: is empty"),
        (service("url: 'ftp://m'"), "wanted a URL that begins with http://, https:// or unix:"),
        (service("url: http://m, upgrade: [h2c]"), "would pass the gateway unseen"),
        (service("url: http://m, upgrade: ['HTTP/2.0']"), "would pass the gateway unseen"),
        (service("url: http://m, upgrade: ['a b']"), "wanted the name of a protocol"),
        (service("url: 'http://'"), "has no usable host and port"),
        (service("url: 'http://m:0'"), "has no usable host and port"),
        (service("url: 'http://m:70000'"), "the port or host of the URL is not valid"),
        (service("url: 'http://m/?q=1'"), "remove the query and fragment"),
        (service("url: 'http://m//a'"), "the base path contains an empty segment"),
        (service("url: 'http://m/a b'"), "contains a blank"),
        (service("url: 'http://m/a\\b'"), "the base path contains"),
        (service("url: 'http://m\u00fc'"), "must be percent-encoded"),
        (service("url: 'unix:run/app.sock'"), "wanted unix:/path/of/socket"),
        (service("url: 'http://hunter2@m'"), "contains a user name or password"),
        (service("url: 'http://admin:hunter2@m'"), "services.monolith.url: contains a password in a URL"),
        (route("shadow: {pure: yes}"), 'yes is true to some YAML readers, a word to others; write true, or "yes"'),
        (route("shadow: {pure: Off}"), "Off is false to some YAML readers"),
        (route("shadow: {pure: TRUE}"), '"TRUE" is read in two ways; write true'),
        (route("extracted: on"), "extracted: on is true to some YAML readers"),
        (route("salt: 012"), '012 is a different number to each YAML reader; write plain digits, or "012"'),
        (route("salt: 1_000"), "1_000 is a different number"),
        (route("salt: 12:30"), "12:30 is a different number"),
        (route("salt: 1e3"), "1e3 is a different number"),
        (route("salt: 0x1F"), "0x1F is a different number"),
        (route("salt: 2024-01-31"), "2024-01-31 is a date to some YAML readers"),
        (route("salt: 12"), "wanted a text, seen 12; put it in quotes if the text is meant"),
        (route("salt: true"), "wanted a text, seen true"),
        (top("groups: {no: {}, g: {}}"), "no is false to some YAML readers"),
        (planned("auto: true"), 'groups.g.plan.steps: "steps" is missing; it is required'),
        (planned("steps: []"), "groups.g.plan.steps: is empty"),
        (planned("steps: [shadow, canary 10]"), 'groups.g.plan.steps[1]: "canary 10" is no step; a canary has a share'),
        (planned("steps: [retired]"), 'plan.steps[0]: "retired": a plan ends with extracted'),
        (planned("steps: [canary 10%, shadow]"), "plan.steps[1]: shadow does not lead further than canary 10 %"),
        (
            planned("steps: [shadow], approve: [extracted]"),
            'approve[0]: the plan has no step "extracted"; its steps: shadow',
        ),
        (planned("steps: [shadow], window: '9-16'"), 'plan.window: "9-16" is no window; write "Mon-Thu'),
        (planned("steps: [shadow], window: '09:00-16:00 Nowhere'"), '"Nowhere" is no time zone'),
        (planned("steps: [shadow], require: {parity: 99.5}"), "require.parity: wanted a percentage with its sign"),
        (planned("steps: [shadow], require: {p95_ratio: 1}"), "require.p95_ratio: wanted how much slower"),
        (
            planned("steps: [shadow], require: {delta: 1%}", "gate: {delta: 1}"),
            'require.delta: "delta" is also written in',
        ),
        (planned("steps: [shadow], on_breach: stop"), "plan.on_breach: wanted 'rollback' or 'hold', seen"),
        (planned("steps: [shadow], holdback: 60%"), 'plan.holdback: wanted a percentage from "0.01%" to "50%"'),
        (planned("steps: [shadow], notify: {}"), "plan.notify: names nobody"),
        (planned("steps: [shadow], notify: {webhook: hook}"), "notify.webhook: wanted an http:// or https:// URL"),
        (planned("steps: [shadow], cool_down: 5"), "plan.cool_down: wanted a duration"),
        (route("group: g, plan: {steps: [shadow]}", "groups: {g: {}}"), '"plan" belongs to the group'),
        (top("trusted_proxies: '${NETS:-[]}'"), "trusted_proxies: wanted a list"),
        ('"x\\nline 9: all is well": 1\n' + file(), 'line 1: "x\\nline 9: all is well": unknown field'),
    ],
)
def test_each_fault_has_its_line_its_field_and_a_sentence(text: str, expected: str) -> None:
    found = only_fault(text)
    assert expected in found
    assert "\n" not in found
    assert "hunter2" not in found


def test_all_faults_of_a_plan_are_told_at_once() -> None:
    found = check(planned("steps: [canary 10%, shadow], approve: [extracted], window: now, autos: true"))
    assert [fault.where for fault in found.faults] == [
        "groups.g.plan.approve[0]",
        "groups.g.plan.autos",
        "groups.g.plan.steps[1]",
        "groups.g.plan.window",
    ]


@pytest.mark.parametrize(
    "text",
    [
        publishing(),
        calling(
            "path: '/user/{x}?a={b:/data/id}', after: [b], fallback: {a: [1, null]}",
            "path: '/user/{identity:/subject}', pointer: /data, required: true",
        ),
        calling(
            "path: '/user/{each:}', each: 'b:/data', at_most: 3", more="answer: {a: '{a:/0}', b: ['{marks}', '{x']}"
        ),
        two("path: '/a'", "path: '/A'"),
        two("path: '/a'", "path: '/a/'"),
        two("path: '/a/{x}'", "path: '/a/b'"),
        two("path: '/a', methods: [GET]", "path: '/a', methods: [POST]"),
        two("path: '/a', methods: [GET]", "path: '/a'"),
        two("path: '/{rest...}', methods: [GET]", "path: '/{rest...}', methods: [POST]"),
        *(route(f"salt: {word}") for word in ("'yes'", '"012"', "no-1", "items-1", "0a", "12.5.1", "n", "'true'")),
        route("salt: q8Zt0vYxW2mKp4RfS7uN9bLc3dHg6JaE"),
        route("salt: 5f0c64e1-9b1d-4a57-8f3e-2d1c0b9a8e7f"),
        route("anonymous: 'header:X-Very-Long-Name-Of-A-Header-That-Identifies'"),
        route("anonymous: 'header:X-CompanyWideCustomerIdentificationHeader2'"),
    ],
)
def test_what_is_unusual_but_clear_is_no_fault_no_trap_and_no_secret(text: str) -> None:
    assert faults(text) == []


def test_a_route_that_would_publish_now_without_a_broker_is_a_warning() -> None:
    text = publishing(rest=f"{ASKS}, state: canary, share: 5").replace("paths: {}", "identity: {plugin: 'a:b'}")
    said = [str(warning) for warning in check(text).warnings if "BROKER" in str(warning)]
    assert said == [
        'line 5: routes[0].publish: the route "r" is in canary, but STRANGLER_BROKER_URL is not set here: '
        "without it the answer is 503"
    ]
    for name in ("STRANGLER_BROKER_URL", "STRANGLER_BROKER_URL_FILE"):
        assert not any("BROKER" in str(warning) for warning in check(text, **{name: "x"}).warnings)
    assert not any("BROKER" in str(warning) for warning in check(publishing()).warnings)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("url: 'http://m', password: hunter2", "password: seems to contain a secret, by its name"),
        ("url: 'http://m', apiKey: hunter2", "apiKey: seems to contain a secret"),
        ("url: 'http://m', client-secret: hunter2", "seems to contain a secret"),
        ("url: 'http://m', password: '${P:-hunter2}'", "seems to contain a secret"),
        ("url: http://m}} # -----BEGIN EC PRIVATE KEY----- hunter2", "a private key"),
        ("url: http://m}} # eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2ln", "a signed token"),
        ("url: http://m}} # AKIAIOSFODNN7HUNTER2", "a cloud access key"),
        ("url: http://m, host: q8Zt0vYxW2mKp4RfS7uN9bLc3dHg6JaE", "long random text"),
        ("url: http://m, host: 9f86d081884c7d659a2feaa0c55ad015", "long random text"),
    ],
)
def test_a_secret_in_the_file_is_found_and_never_repeated(fields: str, expected: str) -> None:
    found = "\n".join(faults(service(fields)))
    assert expected in found
    assert "remove it" in found
    for secret in ("hunter2", "HUNTER2", "q8Zt0v", "9f86d0", "c2ln"):
        assert secret not in found


def test_a_key_in_a_block_of_lines_is_one_fault_with_its_line() -> None:
    block = (
        "services:\n  m:\n    url: http://m\n    tls:\n      ca_file: |\n        -----BEGIN PRIVATE KEY-----\n        x"
    )
    found = [fault for fault in faults(file(services=block)) if "private key" in fault]
    assert len(found) == 1
    assert found[0].startswith("line 6: services.m.tls.ca_file: contains a private key")


def test_a_value_of_the_environment_is_no_secret_in_the_file() -> None:
    found = only_fault(service("url: 'http://m', token: '${TOKEN}'"), TOKEN="hunter2")
    assert found.startswith('line 2: services.monolith.token: unknown field "token"; known here: ')


def test_variables_are_put_in_and_typed_as_if_they_stood_there() -> None:
    by_variable = "- id: r\n  match: {path: '/r'}\n  legacy: ${SERVICE}\n  share: ${SHARE}\n  max_body: ${SIZE:-10MiB}"
    first = served(file(by_variable), SERVICE="shop", SHARE="7.5").routes[0]
    assert (first.legacy.name, first.movable.share, first.max_body) == ("shop", 750, 10 << 20)


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("${NAME}", {}, "line 2: services.monolith.url: the variable NAME is not set; set it, or"),
        ("${NAME", {}, "${ does not begin a reference"),
        ("${1}", {}, "${ does not begin a reference"),
        ("${NAME}", {"NAME": "hunter2"}, "wanted a URL that begins with"),
        ("${NAME}", {"NAME": "h" * (1 << 20) + "!"}, "the variables put more than 1048576 characters into the file"),
    ],
)
def test_a_missing_or_wrong_variable_is_a_fault_of_its_own(url: str, environ: dict[str, str], expected: str) -> None:
    found = only_fault(service(f"url: '{url}'"), **environ)
    assert expected in found
    assert "hunter2" not in found


def test_a_value_of_the_environment_is_never_shown() -> None:
    text = file("- id: r\n  match: {path: '/r'}\n  legacy: monolith\n  state: ${STATE}\n  share: ${SHARE}")
    found = faults(text, STATE="hunter2", SHARE="0123")
    assert len(found) == 2
    assert "${STATE}" in found[0]
    assert not any(value in str(found) for value in ("hunter2", "0123"))


@pytest.mark.parametrize(
    ("salt", "expected"), [("${SALT}", "a', state: retired, x: 'b"), ("a$${B}", "a${B}"), ("${EMPTY:-as}", "as")]
)
def test_a_value_of_the_environment_is_a_text_that_cannot_change_the_structure(salt: str, expected: str) -> None:
    table = served(route(f"salt: '{salt}'"), SALT="a', state: retired, x: 'b", EMPTY="")
    assert table.routes[0].movable.salt == expected


def test_all_faults_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = """\
version: 1
identity: {plugin: x}
services:
  monolith: {url: "${MISSING}"}
  shop: {url: "ftp://s", timeouts: 3}
groups:
  items: {state: off, share: 100.001}
routes:
  - {id: a, group: item, match: {path: "/a"}, legacy: monolith, extracted: chop}
  - {id: a, group: items, state: legacy, match: {path: "/a", methods: [get]}, legacy: monolith}
"""
    lines = [fault.line for fault in check(text).faults]
    assert lines == sorted(lines)
    wheres = [fault.where for fault in check(text).faults]
    assert wheres == [
        "identity.plugin",
        "services.monolith.url",
        "services.shop.timeouts",
        "services.shop.url",
        "groups.items.share",
        "groups.items.state",
        "routes[0].extracted",
        "routes[0].group",
        "routes[1]",
        "routes[1].id",
        "routes[1].match.methods[0]",
        "routes[1].state",
    ]


def test_a_fault_hides_none_of_a_warning_and_a_warning_refuses_nothing() -> None:
    report = check(top("groups: {idle: {}}"))
    assert report.table is not None
    assert [str(warning) for warning in report.warnings] == [
        'line 2: services.shop: no route leads to the service "shop"',
        'line 3: groups.idle: no route is in the group "idle"',
    ]


def post(fields: str) -> str:
    return route(fields, match="methods: [POST], path: '/r'")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (post("state: shadow"), "is in shadow, but none of its routes has `extracted:`, `publish:` or `aggregate:`"),
        (post("state: shadow, extracted: shop"), "nothing is compared"),
        (post("state: canary, extracted: shop"), "is in canary with a share of 0"),
        (post("extracted: monolith"), 'both ends are the service "monolith"'),
        (two("path: '/a'", "path: '/b'").replace("id: a,", "id: a, extracted: monolith,"), "write identity_headers:"),
        (post("serialize: user"), "has `serialize: user`, but `identity` is none"),
        (post("extracted: shop, auth: {require: authenticated}"), "the service never gets a user"),
        (publishing(), "everybody gets 401"),
        (aggregating("calls: {a: {path: '/user/{identity:/subject}'}}"), "names the verified user, but `identity` is"),
        (
            post("serialize: user").replace("paths: {}", "identity: [{enabled: false, plugin: 'a:b'}]"),
            "but no entry of `identity` is enabled",
        ),
        (top("identity: {jwt: {jwks_url: 'http://i/jwks', issuer: a}}"), "accepts every token of these keys"),
        (service("url: 'http://m', credentials: exchange"), "no entry of `identity` has `jwt.exchange`"),
        (
            top("identity: {jwt: {key_env: K, issuer: a, exchange: {url: 'http://a', audience: a}}}"),
            "no service has `credentials: exchange`, so nothing is exchanged",
        ),
        (service("url: 'http://m', tls: {}"), "has no effect: the URL is not https"),
        (service("url: 'https://m', tls: {verify: false}"), "this upstream is not verified"),
    ],
)
def test_what_is_probably_not_meant_is_a_warning(text: str, expected: str) -> None:
    warnings = [str(warning) for warning in check(text).warnings]
    assert any(expected in warning for warning in warnings), warnings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [b", "not YAML"),
        ("a: b: c", "not YAML"),
        ("\ta: b", "not YAML"),
        ("a: \x00", "not YAML"),
        ("a: \ud800", "UTF-8"),
        ("version: 1\n---\nversion: 1", "line 2: a second YAML document"),
        ("a: !!python/object/apply:os.system [x]", "tags (!) are not allowed"),
        ("a: *b", "the alias *b must refer to an anchor"),
        ("a: &b [*b]", "the alias *b must refer to an anchor that is complete"),
        ("a: &b [x]\nc: &b [y]", "line 2: not YAML: found duplicate anchor"),
        ("<<: {b: c}", "merge keys are not YAML 1.2"),
        ("? [a]\n: b", "a key is a mapping or list"),
        ("a: " + "[" * 40, "nested deeper than 32 levels"),
        ("[" * 50_000, "nest"),
        ("a: " + "{b: " * 50_000, "nest"),
        ("a: '" + "x" * (1 << 20) + "'", "the file has more than 1048576 bytes"),
        (f"a: &a '{'x' * 100_000}'\nb: [{', '.join(['*a'] * 1000)}]", "becomes too large"),
        ("a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 400)), "becomes too large"),
    ],
)
def test_text_that_is_no_plain_yaml_is_refused_with_its_line(text: str, expected: str) -> None:
    assert expected in faults(text)[0]


def test_aliases_cannot_make_a_small_file_huge() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    begun = time.process_time()
    assert "each use of an alias counts" in only_fault("\n".join(levels))
    assert time.process_time() - begun < 5


def test_an_alias_may_stand_for_a_value() -> None:
    named, again = "- {id: a, match: {path: '/a'}, legacy: &m shop}", "- {id: b, match: {path: '/b'}, legacy: *m}"
    assert served(file(named, again)).routes[1].legacy.name == "shop"


def test_thousands_of_faults_are_counted_not_listed() -> None:
    report = check(file(*["- {idd: 1}"] * 1000))
    assert len(report.faults) == MAX_FAULTS + 1
    assert "more faults are not shown" in report.faults[-1].message


def test_a_file_full_of_variables_and_faults_is_judged_in_time() -> None:
    begun = time.process_time()
    report = check(
        file(*["- {id: '${A}', match: {path: '${B}'}, legacy: '${C}'}"] * 5000), A="a" * 50, B="/b", C="other"
    )
    assert report.faults
    assert time.process_time() - begun < 15


@settings(max_examples=examples(300), deadline=None)
@given(st.text(max_size=300) | st.text(alphabet="ab: {}[]-&*!\n'\"#|>%@`,?~0$1", max_size=200))
def test_no_text_raises(text: str) -> None:
    report = check_text(text, {})
    assert report.faults
    assert report.table is None


WORDS = "version services routes groups monolith url id match path /{rest...} legacy state"
words = st.sampled_from(WORDS.split())
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 200) | words | st.text(string.printable, max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=5),
    max_leaves=30,
)


@settings(max_examples=examples(300), deadline=None)
@given(st.dictionaries(words, values, max_size=6))
def test_no_structure_raises_and_each_refusal_has_a_reason(data: dict[str, object]) -> None:
    report = check_text(json.dumps(data), {})
    assert (report.table is None) == bool(report.faults)


@pytest.mark.parametrize(
    ("said", "scheme", "authority", "base_path", "server_name"),
    [
        ("discover: 'consul://shop?tag=v1'", "http", b"shop", b"", "shop"),
        ("discover: 'consul://shop', scheme: https, path: /api", "https", b"shop", b"/api", "shop"),
        (
            "discover: 'dns://shop.in:80', tls: {server_name: s.net}, scheme: https",
            "https",
            b"shop.in:80",
            b"",
            "s.net",
        ),
        ("discover: 'dns+srv://_http._tcp.shop.in'", "http", b"shop.in", b"", "shop.in"),
    ],
)
def test_a_discovered_service_is_known_by_the_name_that_is_looked_for(
    said: str, scheme: str, authority: bytes, base_path: bytes, server_name: str
) -> None:
    found = served(service(said)).services["monolith"]
    assert (found.scheme, found.authority, found.base_path) == (scheme, authority, base_path)
    assert found.tls.server_name == server_name
    assert not found.instances
