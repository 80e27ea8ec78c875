"""`strangler check`: all faults of a routes file at once, each with its line, what was seen and what to do."""

import json
import string
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strangler_gateway.config.checks.check import MAX_FAULTS, Report, check_text
from tests.support.effort import examples

SERVICES = "services: {monolith: {url: 'http://m:1'}, shop: {url: 'http://s:1'}}"
LAST = "- {id: rest, match: {path: '/{rest...}'}, legacy: monolith}"


def file(*routes: str, head: str = "", services: str = SERVICES) -> str:
    return "\n".join(["version: 1", services, *([head] if head else []), "routes:", *routes, LAST])


def check(text: str, **environ: str) -> Report:
    return check_text(text, environ)


def faults(text: str, **environ: str) -> list[str]:
    return [str(fault) for fault in check(text, **environ).faults]


def only_fault(text: str, **environ: str) -> str:
    found = faults(text, **environ)
    assert len(found) == 1, found
    return found[0]


def route(fields: str) -> str:
    return f"- {{id: r, match: {{path: '/r'}}, legacy: monolith, {fields}}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1: the file is empty"),
        ("just a text", "line 1: the file is not a mapping; it begins with `version: 1`"),
        (file().replace("version: 1", "version: 2"), "line 1: version: wanted 1, seen 2"),
        (file().replace("version: 1", "colour: red\nversion: 1"), 'line 1: colour: unknown field "colour"; known here'),
        (file(head="grops: {}"), 'line 3: grops: unknown field "grops"; did you mean "groups"?'),
        (file(route("exctracted: shop")), 'exctracted: unknown field "exctracted"; did you mean "extracted"?'),
        (file(head="groups: {g: {stat: legacy}}"), 'groups.g.stat: unknown field "stat"; did you mean "state"?'),
        (
            file(route("auth: {require: {roles: [a], role: b}}")),
            'auth.require.role: unknown field "role"; did you mean',
        ),
        (file(route("legacy: shop")), 'line 4: routes[0].legacy: the key "legacy" stands twice'),
        (file(route("auth: {}"), route("auth: {}").replace("/r", "/s")), 'the id "r" is already taken on line 4'),
        (file(route("group: r"), head="groups: {r: {}}"), '"r" is also the name of a group'),
        (file(route("extracted: chop")), '"chop" is not defined under services; defined there: monolith'),
        (file(route("group: g")), 'the group "g" is not defined under groups; defined there'),
        (file(route("state: paused")), "wanted 'legacy', 'shadow', 'canary', 'extracted' or 'retired', seen"),
        (file(route("share: 101")), "routes[0].share: a share is a percentage from 0 to 100"),
        (file(route("share: -1")), "a share is a percentage from 0 to 100"),
        (file(route("share: 12.505")), "a share moves in steps of 0.01"),
        (file(route("share: '5'")), "wanted a number, seen a text"),
        (file(route("share: true")), "wanted a number, seen true or false"),
        (file(route("group: g, state: legacy"), head="groups: {g: {}}"), '"state" belongs to the group'),
        (file(route("group: g, share: 5"), head="groups: {g: {}}"), '"share" belongs to the group'),
        (file(route("aggregate: []")), '"aggregate" is reserved for a later version'),
        (file(route("legacy_: x")), 'unknown field "legacy_"; did you mean "legacy"?'),
        (file(head="errors: {teapot: {content_type: a/b, body: x}}"), '"teapot" is neither default nor'),
        (file(head="errors: {200: {content_type: a/b, body: x}}"), '"200" is neither default nor a status'),
        (file(head="identity: {}"), "identity: wanted none, or a mapping with one key: jwt, introspect or plugin"),
        (file(head="identity: some"), "identity: wanted 'none', seen \"some\""),
        (file(head="identity: {plugin: nothing}"), 'identity.plugin: wanted "package.module:factory"'),
        (file(head="identity: {jwt: {issuer: a}}"), "identity.jwt: wanted exactly one source of keys"),
        (file(head="identity: {jwt: {key_env: K, algorithms: [none]}}"), "identity.jwt.algorithms[0]: wanted 'RS256'"),
        (
            file(head="identity: {introspect: {url: '/me'}}"),
            "identity.introspect.url: wanted an http:// or https:// URL",
        ),
        (file(head="identity: {introspect: {url: 'http://m', user: '$.a[*]'}}"), "wanted one place, without *"),
        (file(head="identity: [none]"), "identity: wanted none, or a mapping"),
        (file(head="trusted_proxies: [10.0.0.1/8]"), '"10.0.0.1/8" is no network such as 10.0.0.0/8'),
        (file(head="identity_headers: ['X User']"), "identity_headers[0]: is not a token"),
        (file(route("max_body: 10 megs")), 'max_body: wanted a number of bytes, or a text such as "10MiB"'),
        (file(route("limit: {rate: often}")), 'limit.rate: rate "often" cannot be read'),
        (file(route("retire_after: 14")), 'retire_after: wanted a duration with its unit, such as "14d"'),
        (file(route("anonymous: maybe")), "anonymous: wanted legacy, address, random, cookie, or header:NAME"),
        (file(route("shadow: {ignore: [data]}")), 'shadow.ignore[0]: "data": a path begins with $'),
        (file(route("rewrite: {legacy: '/x/{who}'}")), "rewrite.legacy: {who} is no variable of"),
        (file(route("rewrite: {extracted: 'x'}")), 'rewrite.extracted: "x" is no path'),
        (file(route("auth: {require: admin}")), "auth.require: wanted 'open' or 'authenticated', seen \"admin\""),
        (file(route("auth: {require: 3}")), "auth.require: wanted open, authenticated, or {roles: [admin]}"),
    ],
)
def test_each_fault_has_its_line_its_field_and_a_sentence(text: str, expected: str) -> None:
    assert expected in only_fault(text)


PUBLISH = "exchange: e, type: a.b.v1, replies: r, outcomes: {accepted: {status: 204}}"
ASKS = "auth: {require: authenticated, enforce: gateway}"


def publishing(*, publish: str = PUBLISH, match: str = "methods: [POST], path: '/r'", rest: str = ASKS) -> str:
    return file(f"- {{id: r, match: {{{match}}}, legacy: monolith, publish: {{{publish}}}, {rest}}}")


def test_a_route_may_end_in_a_message() -> None:
    assert faults(publishing()) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (publishing(rest=f"{ASKS}, extracted: shop"), "routes[0].publish: a route has one new end"),
        (
            publishing(match="path: '/r'"),
            "routes[0].match.methods: a message changes something: wanted methods such as",
        ),
        (publishing(match="methods: [PUT, GET], path: '/r'"), "match.methods: a message changes something: wanted"),
        (publishing(match="methods: [POST], path: '/r/{id}'"), "match.path: the message would not have {id}"),
        (publishing(rest="auth: {}"), "routes[0].auth: a message carries a verified user"),
        (publishing(rest="max_body: 1KiB"), "routes[0].auth: a message carries a verified user"),
        (publishing(rest="auth: {require: open, enforce: gateway}"), "auth: a message carries a verified user"),
        (publishing(rest="auth: {require: {roles: [a]}}"), "auth: nobody behind a message can refuse a caller"),
        (publishing(rest=f"{ASKS}, shadow: {{}}"), "routes[0].shadow: a message is not sent a second time"),
        (publishing(rest=f"{ASKS}, rewrite: {{extracted: '/x'}}"), "rewrite.extracted: a message has no path"),
        (publishing(publish=PUBLISH.replace("exchange: e, ", "")), '"exchange" is missing'),
        (
            publishing(publish=PUBLISH.replace("exchange: e", "exchange: 'a b'")),
            "publish.exchange: a name at the broker",
        ),
        (publishing(publish=PUBLISH.replace("a.b.v1", "a.b")), 'publish.type: "a.b" is no type of a message'),
        (publishing(publish=PUBLISH.replace("{accepted: {status: 204}}", "{}")), "publish.outcomes: is empty"),
        (publishing(publish=PUBLISH.replace("204", "304")), "outcomes.accepted.status: wanted a status that ends"),
        (publishing(publish=PUBLISH.replace("204", "100")), "outcomes.accepted.status: wanted a status that ends"),
        (publishing(publish=PUBLISH.replace("204", "204, body: x")), "outcomes.accepted: 204 has no body"),
        (publishing(publish=PUBLISH.replace("204", "204, location: x")), 'location: "x" is no path'),
        (publishing(publish=PUBLISH.replace("204", "204, location: '/{a...}'")), "names a rest of a path"),
        (
            publishing(publish=f"{PUBLISH}, location: '/r/{{id}}'"),
            "publish: location names {id}; before there is a reply",
        ),
        (publishing(publish=f"{PUBLISH}, wait_s: 61"), "publish.wait_s: wanted at most 60 seconds"),
        (publishing(publish=f"{PUBLISH}, confirm_s: 0"), "publish.confirm_s: Input should be greater than 0"),
        (publishing(publish=f"{PUBLISH}, body: {{id: {{type: uuid}}}}"), "publish.body.id.type: wanted 'string'"),
        (
            publishing(publish=f"{PUBLISH}, body: {{id: {{type: integer, format: uuid}}}}"),
            "format uuid is one of strings",
        ),
        (
            publishing(publish=f"{PUBLISH}, body: {{'a b': {{type: string}}}}"),
            "a field of the body has 1 to 64 letters",
        ),
        (publishing(publish=f"{PUBLISH}, body: {{id: {{tipe: string, type: string}}}}"), 'did you mean "type"?'),
        (publishing(publish=f"{PUBLISH}, headers: {{X: 'a\u00fc'}}"), "publish.headers.X: wanted printable ASCII"),
        (publishing(publish=f"{PUBLISH}, queues: q"), 'unknown field "queues"; did you mean "queue"?'),
        (file(route("new: true, extracted: shop, shadow: {}")), "routes[0].shadow: the route is `new`"),
    ],
)
def test_each_fault_of_a_route_that_publishes_has_its_place(text: str, expected: str) -> None:
    assert expected in only_fault(text)


def test_a_route_that_would_publish_now_without_a_broker_is_a_warning() -> None:
    head, moved = "identity: {plugin: 'a:b'}", publishing(rest=f"{ASKS}, state: canary, share: 5")
    text = moved.replace("services:", f"{head}\nservices:", 1)
    said = [str(warning) for warning in check(text).warnings if "BROKER" in str(warning)]
    assert said == [
        'line 5: routes[0].publish: the route "r" is in canary, but STRANGLER_BROKER_URL is not set here: '
        "without it the answer is 503"
    ]
    for name in ("STRANGLER_BROKER_URL", "STRANGLER_BROKER_URL_FILE"):
        assert not any("BROKER" in str(warning) for warning in check(text, **{name: "x"}).warnings)
    assert not any("BROKER" in str(warning) for warning in check(publishing()).warnings)


def test_a_route_that_publishes_for_nobody_is_a_warning() -> None:
    assert any("everybody gets 401" in str(warning) for warning in check(publishing()).warnings)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ftp://m", "wanted a URL that begins with http://, https:// or unix:"),
        ("http://", "has no usable host and port"),
        ("http://m:0", "has no usable host and port"),
        ("http://m:70000", "the port or host of the URL cannot be read"),
        ("http://m/?q=1", "take out the query and fragment"),
        ("http://m//a", "the base path holds an empty segment"),
        ("http://m/a b", "holds a blank"),
        ("http://m/a\\b", "the base path holds"),
        ("http://m\u00fc", "has to be percent-encoded"),
        ("http://user@m", "holds a user name or password"),
        ("unix:run/app.sock", "wanted unix:/path/of/socket"),
    ],
)
def test_an_address_that_is_none_is_refused_without_repeating_it(url: str, expected: str) -> None:
    found = only_fault(file(services=f"services: {{monolith: {{url: '{url}'}}}}"))
    assert expected in found
    assert "user" not in found.replace("user name", "")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", '"a" does not start with "/"'),
        ("/a//b", 'has an empty segment ("//")'),
        ("/a/{b}c", '"{b}c" is no variable'),
        ("/{a}/{a}", 'names the variable "a" twice'),
        ("/{a...}/b", "takes the rest of the path, so nothing can follow it"),
        ("/a b", '"a b" cannot stand in the path of a request'),
        ("/a?b", "cannot stand in the path of a request"),
        ("/a/../b", 'has a segment ".."'),
        ("/caf\u00e9", "never reached: clients percent-encode such characters"),
    ],
)
def test_a_path_that_no_request_can_have_is_refused(path: str, expected: str) -> None:
    assert expected in only_fault(file(route("auth: {}").replace("/r", path)))


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        ("[get]", "methods are case-sensitive; write GET"),
        ("GET", "wanted a list"),
        ("[]", "is empty"),
        ("[GET, GET]", "names a method twice"),
        ("[CONNECT]", "never forwarded"),
    ],
)
def test_methods_are_a_list_of_words_as_requests_have_them(methods: str, expected: str) -> None:
    assert expected in only_fault(file(route("auth: {}").replace("{path:", f"{{methods: {methods}, path:")))


@pytest.mark.parametrize(
    ("first", "second", "paths"),
    [
        ("path: '/a/{x}'", "path: '/a/{y}'", "{}"),
        ("path: '/a'", "path: '/A'", "{case_sensitive: false}"),
        ("path: '/a'", "path: '/a/'", "{trailing_slash: ignore}"),
        ("path: '/%41'", "path: '/A'", "{decode_literals: true}"),
        ("path: '/a', methods: [GET, POST]", "path: '/a', methods: [POST]", "{}"),
    ],
)
def test_a_route_that_another_shadows_is_named_with_the_line_of_the_other(first: str, second: str, paths: str) -> None:
    found = only_fault(two(first, second, head=f"paths: {paths}"))
    assert found.startswith('line 6: routes[1].match.path: never reached: the route "a" on line 5 takes')


def two(first: str, second: str, head: str = "paths: {}") -> str:
    named = (("a", first), ("b", second))
    return file(*(f"- {{id: {name}, match: {{{match}}}, legacy: monolith}}" for name, match in named), head=head)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("path: '/a'", "path: '/A'"),
        ("path: '/a'", "path: '/a/'"),
        ("path: '/a/{x}'", "path: '/a/b'"),
        ("path: '/a', methods: [GET]", "path: '/a', methods: [POST]"),
        ("path: '/a', methods: [GET]", "path: '/a'"),
        ("path: '/{rest...}', methods: [GET]", "path: '/{rest...}', methods: [POST]"),
    ],
)
def test_routes_that_both_take_requests_are_no_fault(first: str, second: str) -> None:
    assert faults(two(first, second)) == []


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("- {id: r, match: {path: '/r'}, legacy: monolith}", 'the last route is missing: the file ends with "r"'),
        ("- {id: r, match: {path: '/r/{rest...}'}, legacy: monolith}", "the last route is missing"),
        ("- {id: r, match: {path: '/{rest...}', methods: [GET]}, legacy: monolith}", "take methods out"),
    ],
)
def test_the_last_route_has_to_take_all_the_rest(last: str, expected: str) -> None:
    assert expected in only_fault(file().replace(LAST, last))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("shadow: {pure: yes}", 'yes is true to some YAML readers, a word to others; write true, or "yes"'),
        ("shadow: {pure: Off}", "Off is false to some YAML readers"),
        ("shadow: {pure: TRUE}", '"TRUE" is read in two ways; write true'),
        ("salt: 012", '012 is a different number to each YAML reader; write plain digits, or "012"'),
        ("salt: 1_000", "1_000 is a different number"),
        ("salt: 12:30", "12:30 is a different number"),
        ("salt: 1e3", "1e3 is a different number"),
        ("salt: 0x1F", "0x1F is a different number"),
        ("salt: 2024-01-31", "2024-01-31 is a date to some YAML readers"),
        ("salt: 12", "wanted a text, seen 12; put it in quotes if the text is meant"),
        ("salt: true", "wanted a text, seen true"),
    ],
)
def test_what_yaml_readers_read_differently_is_refused(fields: str, expected: str) -> None:
    assert expected in only_fault(file(route(fields)))


@pytest.mark.parametrize("written", ["'yes'", '"012"', "'1_000'", "no-1", "items-1", "0a", "12.5.1", "n", "'true'"])
def test_quoted_or_harmless_words_are_no_trap(written: str) -> None:
    assert faults(file(route(f"salt: {written}"))) == []


def test_a_group_called_no_is_a_trap_as_well() -> None:
    assert "no is false to some YAML readers" in faults(file(head="groups: {no: {}}"))[0]


@pytest.mark.parametrize(
    ("services", "expected"),
    [
        ("services: {monolith: {url: 'http://admin:hunter2@m'}}", "services.monolith.url: holds a password in a URL"),
        ("services: {monolith: {url: 'http://m', password: hunter2}}", "password: seems to hold a secret, by its name"),
        ("services: {monolith: {url: 'http://m', apiKey: hunter2}}", "apiKey: seems to hold a secret"),
        ("services: {monolith: {url: 'http://m', client-secret: hunter2}}", "seems to hold a secret"),
        ("services: {monolith: {url: 'http://m', password: '${P:-hunter2}'}}", "seems to hold a secret"),
        ("services: {m: {url: http://m}} # -----BEGIN EC PRIVATE KEY----- hunter2", "holds a private key"),
        ("services: {m: {url: http://m}} # eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2ln", "holds a signed token"),
        ("services: {m: {url: http://m}} # AKIAIOSFODNN7HUNTER2", "holds a cloud access key"),
        ("services: {m: {url: http://m, host: q8Zt0vYxW2mKp4RfS7uN9bLc3dHg6JaE}}", "long random text"),
        ("services: {m: {url: http://m, host: 9f86d081884c7d659a2feaa0c55ad015}}", "long random text"),
    ],
)
def test_a_secret_in_the_file_is_found_and_never_repeated(services: str, expected: str) -> None:
    found = "\n".join(faults(file(services=services)))
    assert expected in found
    assert "take it out" in found
    for secret in ("hunter2", "HUNTER2", "q8Zt0v", "9f86d0", "c2ln"):
        assert secret not in found


def test_a_password_in_an_address_is_one_fault() -> None:
    services = "services: {monolith: {url: 'http://admin:hunter2@m'}, shop: {url: 'http://s'}}"
    assert only_fault(file(services=services)).startswith("line 2: services.monolith.url: holds a password in a URL")


def test_a_key_in_a_block_of_lines_is_one_fault_with_its_line() -> None:
    block = (
        "services:\n  m:\n    url: http://m\n    tls:\n      ca_file: |\n        -----BEGIN PRIVATE KEY-----\n        x"
    )
    found = [fault for fault in faults(file(services=block)) if "private key" in fault]
    assert len(found) == 1
    assert found[0].startswith("line 6: services.m.tls.ca_file: holds a private key")


@pytest.mark.parametrize(
    "harmless",
    [
        "salt: q8Zt0vYxW2mKp4RfS7uN9bLc3dHg6JaE",
        "anonymous: 'header:X-Very-Long-Name-Of-A-Header-That-Identifies'",
        "anonymous: 'header:X-CompanyWideCustomerIdentificationHeader2'",
        "salt: 5f0c64e1-9b1d-4a57-8f3e-2d1c0b9a8e7f",
    ],
)
def test_long_names_ids_and_salts_are_no_secrets(harmless: str) -> None:
    assert faults(file(route(harmless))) == []


def test_a_value_of_the_environment_is_no_secret_in_the_file() -> None:
    services = "services: {monolith: {url: 'http://m', token: '${TOKEN}'}, shop: {url: 'http://s'}}"
    assert only_fault(file(services=services), TOKEN="hunter2").startswith(
        'line 2: services.monolith.token: unknown field "token"; known here: '
    )


def test_variables_are_put_in_and_typed_as_if_they_stood_there() -> None:
    by_variable = "- id: r\n  match: {path: '/r'}\n  legacy: ${SERVICE}\n  share: ${SHARE}\n  max_body: ${SIZE:-10MiB}"
    table = check(file(by_variable), SERVICE="shop", SHARE="7.5").table
    assert table is not None
    first = table.routes[0]
    assert (first.legacy.name, first.movable.share, first.max_body) == ("shop", 750, 10 << 20)
    assert "trusted_proxies: wanted a list" in only_fault(file(head="trusted_proxies: ${NETS}"), NETS="[]")


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        (
            "${NAME}",
            {},
            "line 2: services.monolith.url: the variable NAME is not set; set it, or",
        ),
        ("${NAME", {}, "${ does not begin a reference"),
        ("${1}", {}, "${ does not begin a reference"),
        ("${NAME}", {"NAME": "hunter2"}, "wanted a URL that begins with"),
    ],
)
def test_a_missing_or_wrong_variable_is_a_fault_of_its_own(url: str, environ: dict[str, str], expected: str) -> None:
    found = only_fault(file(services=f"services: {{monolith: {{url: '{url}'}}}}"), **environ)
    assert expected in found
    assert "hunter2" not in found


def test_a_value_of_the_environment_is_never_shown() -> None:
    text = file("- id: r\n  match: {path: '/r'}\n  legacy: monolith\n  state: ${STATE}\n  share: ${SHARE}")
    found = faults(text, STATE="hunter2", SHARE="0123")
    assert len(found) == 2
    assert "hunter2" not in str(found)
    assert "0123" not in str(found)
    assert "${STATE}" in found[0]


def test_a_value_of_the_environment_cannot_change_the_structure() -> None:
    table = check(file(route("salt: '${SALT}'")), SALT="a', state: retired, x: 'b").table
    assert table is not None
    assert table.routes[0].movable.salt == "a', state: retired, x: 'b"


def test_an_empty_variable_takes_the_default_as_in_a_shell() -> None:
    table = check(file(services="services: {monolith: {url: '${URL:-http://default}'}}"), URL="").table
    assert table is not None
    assert table.services["monolith"].host == "default"


def test_a_doubled_dollar_stands_for_the_characters() -> None:
    table = check(file(route("salt: 'a$${B}'"))).table
    assert table is not None
    assert table.routes[0].movable.salt == "a${B}"


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
    report = check(file(head="groups: {idle: {}}", services=SERVICES))
    assert report.table is not None
    assert [str(warning) for warning in report.warnings] == [
        'line 2: services.shop: no route leads to the service "shop"',
        'line 3: groups.idle: no route is in the group "idle"',
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("state: shadow", "is in shadow, but nothing in it has a new end"),
        ("state: shadow, extracted: shop", "nothing is compared"),
        ("state: canary, extracted: shop", "is in canary with a share of 0"),
        ("extracted: monolith", 'both ends are the service "monolith"'),
        ("serialize: user", "is serialised by user, but identity is none"),
        ("extracted: shop, auth: {require: authenticated}", "the service sees nobody"),
    ],
)
def test_what_is_probably_not_meant_is_a_warning(fields: str, expected: str) -> None:
    warnings = [str(warning) for warning in check(file(route(fields))).warnings]
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
        ("a: !!python/object/apply:os.system [x]", "a tag (!) is not used here"),
        ("a: *b", "the alias *b names nothing"),
        ("a: &b [*b]", "the alias *b names nothing that is complete"),
        ("a: &b [x]\nc: &b [y]", "line 2: not YAML: found duplicate anchor"),
        ("<<: {b: c}", "merge keys are not YAML 1.2"),
        ("? [a]\n: b", "a key is a mapping or list"),
        ("a: " + "[" * 40, "nested deeper than 32 levels"),
        ("[" * 50_000, "nest"),
        ("a: " + "{b: " * 50_000, "nest"),
        ("a: '" + "x" * (1 << 20) + "'", "the file has more than 1048576 bytes"),
    ],
)
def test_text_that_is_no_plain_yaml_is_refused_with_its_line(text: str, expected: str) -> None:
    assert expected in faults(text)[0]


def test_aliases_cannot_make_a_small_file_huge() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    begun = time.process_time()
    assert "aliases count each time they are used" in only_fault("\n".join(levels))
    assert time.process_time() - begun < 5


def test_a_long_text_behind_many_aliases_is_bounded_too() -> None:
    text = f"a: &a '{'x' * 100_000}'\nb: [{', '.join(['*a'] * 1000)}]"
    assert "grows too large" in only_fault(text)


def test_a_chain_of_aliases_is_bounded_as_nesting_is() -> None:
    links = [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 400)]
    assert "grows too large" in only_fault("\n".join(["a0: &a0 [x]", *links]))


def test_an_alias_may_stand_for_a_value() -> None:
    named, again = "- {id: a, match: {path: '/a'}, legacy: &m shop}", "- {id: b, match: {path: '/b'}, legacy: *m}"
    table = check(file(named, again)).table
    assert table is not None
    assert table.routes[1].legacy.name == "shop"


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


def test_more_methods_than_anybody_has_are_refused() -> None:
    methods = ", ".join(f"M{number}" for number in range(65))
    assert "names 65 different methods; at most 64 are taken" in only_fault(
        file(f"- {{id: a, match: {{path: '/a', methods: [{methods}]}}, legacy: monolith}}")
    )


def test_a_key_of_the_file_cannot_forge_a_line_of_the_report() -> None:
    found = only_fault('"x\\nline 9: all is well": 1\n' + file())
    assert "\n" not in found


@settings(max_examples=examples(300), deadline=None)
@given(st.text(max_size=300) | st.text(alphabet="ab: {}[]-&*!\n'\"#|>%@`,?~0$1", max_size=200))
def test_no_text_raises(text: str) -> None:
    report = check_text(text, {})
    assert report.faults
    assert report.table is None


words = st.sampled_from(
    [
        "version",
        "services",
        "routes",
        "groups",
        "monolith",
        "url",
        "id",
        "match",
        "path",
        "/{rest...}",
        "legacy",
        "state",
    ]
)
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
