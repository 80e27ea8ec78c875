"""The shop and the stand-in monolith over one database give the same answers to reads.

Each side gets what it gets in production: the monolith the client's credential, the shop the internal token that the
gateway makes of it with the real identity plugin. Whatever shadow would count as a difference fails here.
"""

import gzip
import zlib
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parity.sides import ACTORS, BOUGHT, FORM, HINT, IDS, JSON, Sides
from tests.support.effort import examples
from tests.unit.extracted.running import ask

ORIGIN = {"Origin": "https://polycode.do-2021.fr"}


@pytest.mark.parametrize("actor", ACTORS)
def test_everybody_on_every_route(sides: Sides, actor: str) -> None:
    targets = ["/item", *(f"{route}/{item}" for route in ("/item", "/item/bought") for item in IDS)]
    assert [(target, found) for target in targets if (found := sides.differ(actor, target))] == []


def test_development_mode_is_the_same_too(sides_in_development: Sides) -> None:
    targets = ("/item", "/item?limit=101", "/item?order-by=cost:x", "/item?type[a]=b", "/nope", "/item/bought/abc")
    for target in (*targets, f"/item/bought/{BOUGHT}", "/item/%zz"):
        for actor, method in (("nobody", "GET"), ("admin", "GET"), ("admin", "HEAD"), ("user", "OPTIONS")):
            assert sides_in_development.differ(actor, target, method) == ""


QUERIES = [
    "page=2&limit=2", "page=0", "page=-1", "page=abc", "page=1e3", "limit=0", "limit=100", "limit=101", "limit=-1",
    "limit=1.9", "limit=", "limit=1&limit=2", "limit[]=3", "limit[a]=3", "page=%202", "page=+2",
    "page=99999999999999999999", "page=9007199254740993", "page=922337203685477581", "order-by=cost",
    "order-by=cost:", "order-by=cost:asc", "order-by=cost:DESC", "order-by=cost%3Adesc", "order-by=cost:sideways",
    "order-by=cost:null", "order-by=name:asc,cost:desc", "order-by=cost:desc,cost:null", "order-by=cost:desc,cost",
    "order-by=", "order-by=cost:asc&order-by=cost:desc", "order-by[]=cost", "order-by=Cost:desc", "order-by=cost:1",
    "order-by=cost:descending", "order-by=cost:-1", "order-by=cost:ASCENDING", "order-by=cost:0", "type=hint",
    "type=validator&order-by=cost:desc&limit=3", "type=", "type=HINT", "type=%68int", "type=%zz", "type=a%00b",
    "type=%C3", "type=hint&type=validator", "type[]=hint&type[]=none", "type[1]=hint&type[0]=none",
    "type[a]=hint&type=validator&type[2]=x&type[1]=y", "type=hint&type[a]=hint", "[type]=hint",
    "page[1]=2&page[0]=1", "type[__proto__]=a", "type[0]=validator&order-by=cost:desc", "type[]=hint&type[a]=b",
    "type[]=hint&type[1][]=b", "type[a]=hint", "type[$ne]=hint", "offset=2&sort=date&unknown=1",
    "limit=101&order-by=cost:sideways", "type[a]=b&order-by=cost:x", "a&b=&=c&&",
    "limit=1&page=3&order-by=cost:asc&type=validator", "%6Cimit=1", "limit=1;page=2", "limit=1%26page=2",
    "type=hint#x", "limit=%2B2", "page=1000000000000", "type=.%2A", "type=hint%20",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_queries(sides: Sides, query: str) -> None:
    assert sides.differ("admin", f"/item?{query}") == ""


PATHS = [
    "/ITEM", "/item/", "/Item/?limit=1", "/item//", "//item", "/item?", "/items?", "/items", "/item/%2F",
    "/item/a/b", "/item/bought", "/item/bought/", "/item/%62ought/x", "/item/bought/%ff", "/nope?x=%zz", "/nope/%zz",
    "/", "/item%2F1", "/item/..%2f", "/item/a;b=c", "/%69tem", "/ITEM/BOUGHT/22222222-2222-4222-8222-abcdefabcdef/",
    "/item/22222222%2D2222-4222-8222-abcdefabcdef?a=b",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("actor", ["nobody", "admin"])
def test_paths(sides: Sides, actor: str, path: str) -> None:
    assert sides.differ(actor, path) == ""


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "GET"])
@pytest.mark.parametrize(
    "headers",
    [
        {}, ORIGIN, {"Origin": "null"}, ORIGIN | {"Access-Control-Request-Method": "GET"},
        ORIGIN | {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization, x-y"},
        {"If-None-Match": "*"}, {"If-None-Match": '"nope", W/"nope"'}, {"Accept-Encoding": "gzip"},
        {"If-None-Match": "*", "Cache-Control": "max-age=0, no-cache"},
        {"If-None-Match": "*", "Cache-Control": "no-cached"},
        {"If-None-Match": "*", "If-Modified-Since": "Tue, 24 Nov 2026 12:22:18 GMT"},
        {"If-Modified-Since": "Tue, 24 Nov 2026 12:22:18 GMT"}, {"Range": "bytes=0-1"}, {"Accept": "text/html"},
    ],
)  # fmt: skip
def test_methods_and_header_fields(sides: Sides, method: str, headers: dict[str, str]) -> None:
    for target in (f"/item/{HINT}", f"/item/bought/{BOUGHT}", "/item?limit=101", "/nope"):
        assert sides.differ("admin", target, method, headers) == ""


def test_the_copy_of_one_side_is_fresh_on_the_other(sides: Sides) -> None:
    tag = sides.shop.ask(f"/item/bought/{BOUGHT}", sides.identities[sides.credentials["user"]]).headers["etag"]
    for known in (tag, tag.removeprefix("W/"), f'"x",{tag}', f" {tag} "):
        assert sides.differ("user", f"/item/bought/{BOUGHT}", headers={"If-None-Match": known}) == ""
    answer = ask(
        sides.monolith_port,
        f"/item/bought/{BOUGHT}",
        "GET",
        {"If-None-Match": tag, "Authorization": sides.credentials["user"]},
    )
    assert answer.status == 304


GZIP = JSON | {"Content-Encoding": "gzip"}
BROTLI = {"Content-Encoding": "br"}
BODIES: dict[str, tuple[dict[str, str], bytes]] = {
    "JSON": (JSON, b'{"a": [1, 2.5e3, "x\\u00e9", null]}'),
    "no JSON": (JSON, b"{bad"),
    "JSON cut off": (JSON, b'{"a": "b'),
    "JSON with a comma too many": (JSON, b'{"a": 1,}'),
    "a wrong escape": (JSON, b'["\\9"]'),
    "a wrong number": (JSON, b"[01]"),
    "text before and after": (JSON, b" \n[1] 2"),
    "a lone string": (JSON, b'"text"'),
    "a lone number": (JSON, b"  5"),
    "white space alone": (JSON, b" \n "),
    "empty": (JSON, b""),
    "a byte order mark": (JSON, b"\xef\xbb\xbf{}"),
    "no UTF-8": (JSON, b'{"a":"\xff\xfe"}'),
    "a position after an astral sign": (JSON, '["\U0001f600",é]'.encode()),
    "deep": (JSON, b"[" * 20_000),
    "100 kB": (JSON, b'"' + b"x" * 102_399),
    "more than 100 kB": (JSON, b"x" * 102_401),
    "two charsets": ({"Content-Type": "application/json; charset=utf-8; charset=latin1"}, b"{}"),
    "an unknown charset and coding": ({"Content-Type": "application/json; charset=utf-99"} | BROTLI, b"{}"),
    "a charset with a backslash": ({"Content-Type": 'application/json; charset="a\\b"'}, b"{}"),
    "UTF-32": ({"Content-Type": "application/json; charset=utf-32"}, b"{}"),
    "UTF-8 with a mark": ({"Content-Type": "application/json; charset=utf-8-sig"}, b"{}"),
    "gzip in two members": (GZIP, gzip.compress(b"{") + gzip.compress(b"bad") + bytes(9)),
    "garbage behind gzip": (GZIP, gzip.compress(b"{}") + b"garbage"),
    "a byte behind gzip": (GZIP, gzip.compress(b"{}") + b"x"),
    "nothing as gzip": (GZIP | {"Content-Length": "0"}, b""),
    "deflate": (JSON | {"Content-Encoding": "deflate"}, zlib.compress(b"{bad") + b"x"),
    "UTF-16": ({"Content-Type": "application/json; charset=utf-16le"}, '{"a":1'.encode("utf-16le")),
    "Latin-1": ({"Content-Type": "application/json; charset=latin1"}, b"{}"),
    "an unknown charset": ({"Content-Type": 'application/json; charset="utf-99"'}, b"{}"),
    "a form": (FORM, b"a=b&c[]=%zz"),
    "a form in Latin-1": ({"Content-Type": "application/x-www-form-urlencoded; charset=latin1"}, b"a=b"),
    "a form in UTF-16": ({"Content-Type": "application/x-www-form-urlencoded; charset=utf-16"}, b"a=b"),
    "Latin-1 in an unknown coding": ({"Content-Type": "application/json; charset=latin1"} | BROTLI, b"{}"),
    "a big form": (FORM, b"a=" + b"x" * 102_400),
    "a form of many parameters": (FORM, b"&".join([b"a=b"] * 1001)),
    "text": ({"Content-Type": "text/plain"}, b"{bad"),
    "big text": ({"Content-Type": "text/plain"}, b"x" * 102_401),
    "no type": ({}, b"{bad"),
    "JSON of another kind": ({"Content-Type": "application/vnd.api+json"}, b"{bad"),
    "JSON in capitals": ({"Content-Type": "APPLICATION/JSON;charset=UTF-8"}, b"{bad"),
    "gzip": (GZIP, gzip.compress(b"{bad")),
    "no gzip": (JSON | {"Content-Encoding": "GZIP"}, b"{}"),
    "gzip cut off": (GZIP, gzip.compress(b"{}" * 99)[:-9]),
    "a gzip bomb": (GZIP, gzip.compress(b" " * 10_000_000)),
    "deflate that is none": (JSON | {"Content-Encoding": "deflate"}, b"xx"),
    "brotli": (JSON | BROTLI, b"xx"),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("target", ["/item?limit=1", "/nope", "/item/%zz"])
def test_bodies_of_reads(sides: Sides, name: str, target: str) -> None:
    headers, body = BODIES[name]
    assert sides.differ("admin", target, "GET", headers, body) == ""


NUMBERS = st.one_of(
    st.integers(-2, 102).map(str), st.sampled_from(["", "abc", "1e2", "1.9", " 7", "-0", "0x10", "007"])
)
ORDERS = st.lists(
    st.sampled_from(["cost", "cost:asc", "cost:desc", "cost:ASC", "cost:null", "cost:x", "name:asc", ""]), max_size=3
).map(",".join)
TYPES = st.one_of(st.sampled_from(["hint", "validator", "", "HINT"]), st.text(max_size=4))
PARAMETERS = st.one_of(
    st.tuples(st.sampled_from(["page", "limit"]), NUMBERS),
    st.tuples(st.just("order-by"), ORDERS),
    st.tuples(st.just("type"), TYPES),
    st.tuples(st.text("abcxyz", min_size=1, max_size=4), st.text(max_size=4)),
)


@settings(max_examples=examples(150), deadline=None)
@given(parameters=st.dictionaries(st.sampled_from(range(4)), PARAMETERS).map(lambda found: dict(found.values())))
def test_any_query_of_known_parameters(sides: Sides, parameters: dict[str, str]) -> None:
    query = "&".join(f"{name}={quote(value)}" for name, value in parameters.items())
    assert sides.differ("admin", f"/item?{query}") == ""
