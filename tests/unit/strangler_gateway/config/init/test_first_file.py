"""`strangler init`: a first routes file from a URL, an OpenAPI document or an access log; nothing has moved in it."""

import json
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strangler_gateway.config.checks.check import check_text
from strangler_gateway.config.init.first_file import MAX_ROUTES, init_text, write_new
from strangler_gateway.config.init.path_shapes import MAX_PATHS, Shapes
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import MigrationState, RouteTable
from tests.support.effort import examples

UPSTREAM = "http://127.0.0.1:3000"
UUID = "5f0c64e1-9b1d-4a57-8f3e-2d1c0b9a8e7f"

Declared = dict[str, list[str] | None]
"""The methods of each path, without the last route's."""


def table(text: str) -> RouteTable:
    report = check_text(text, {})
    assert (report.faults, report.warnings) == ((), ())
    assert report.table is not None
    return report.table


def declared(text: str) -> Declared:
    routes = table(text).routes
    assert routes[-1].undeclared
    return {r.path: sorted(m.decode() for m in r.methods) if r.methods else None for r in routes[:-1]}


def line(request: str, status: int = 200, tail: str = "") -> str:
    return f'192.0.2.1 - - [24/Nov/2026:10:00:00 +0000] "{request} HTTP/1.1" {status} 17{tail}'


def from_log(*lines: str) -> Declared:
    return declared(init_text(UPSTREAM, access_log=lines))


def from_openapi(document: object) -> Declared:
    return declared(init_text(UPSTREAM, openapi=json.dumps(document)))


def test_without_a_source_everything_goes_to_the_monolith_in_legacy() -> None:
    text = init_text(UPSTREAM)
    served = table(text)
    assert [route.path for route in served.routes] == ["/{rest...}"]
    assert served.services["monolith"].port == 3000
    assert {movable.state for movable in served.movables.values()} == {MigrationState.LEGACY}
    comments = " ".join(line for line in text.splitlines() if line.lstrip().startswith("#"))
    assert all(word in comments for word in ("strangler check", "strangler serve", "strangler flip", "Express"))


@pytest.mark.parametrize("url", ["https://m.example/base", "unix:/run/m.sock", "http://[::1]:3000", "${M:-http://m}"])
def test_every_kind_of_address_is_taken(url: str) -> None:
    assert table(init_text(url)).routes


@pytest.mark.parametrize("url", ["", "m:3000", "ftp://m", "http://u:hunter2@m", "http://${M}", "http://m\n  x: y"])
def test_an_address_that_cannot_be_used_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(ValueError, match="the upstream URL cannot be used: ") as caught:
        init_text(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "value", ["17", "0", UUID, UUID.upper(), "507f1f77bcf86cd799439011", "a%20b", "me@example.org", "2026-11-24"]
)
def test_ids_and_other_values_are_folded_into_one_shape(value: str) -> None:
    assert from_log(line(f"GET /item/{value}"), line("GET /item/1")) == {"/item/{id}": ["GET"]}


@pytest.mark.parametrize("word", ["bought", "@me", "v2", "regenerate-token", "index.html", "face", "add-to-cart"])
def test_words_stay_words(word: str) -> None:
    assert from_log(line(f"GET /item/{word}")) == {f"/item/{word}": ["GET"]}


FORGED = r' "-" "x\" [24/Nov/2026] \"GET /forged HTTP/1.1\" 200 1"'


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ([line(f"DELETE /user/{UUID}/email/7")], {"/user/{id}/email/{id2}": ["DELETE"]}),
        (
            [line(f"{method} /item/1") for method in ("GET", "HEAD", "PATCH", "OPTIONS", "CONNECT")],
            {"/item/{id}": ["GET", "PATCH"]},
        ),
        ([line("HEAD /health"), line("OPTIONS /nothing")], {"/health": ["GET"]}),
        ([line("GET /item?page=1"), line("GET http://m.example/item?x")], {"/item": ["GET"]}),
        ([line("GET http://m.example")], {"/": ["GET"]}),
        ([line("GET /wp-login.php", 404), line("POST /item", 405), line("GET /a", 401)], {"/a": ["GET"]}),
        ([line("GET /app.3f2a.js")], {}),
        ([line("GET /real", tail=FORGED)], {"/real": ["GET"]}),
        ([line("GET /also", tail=' "http://m/" "curl/8"')], {"/also": ["GET"]}),
        ([line("GET /a"), line("GET /real").replace("GET /real HTTP/1.1", "-") + FORGED], {"/a": ["GET"]}),
    ],
)
def test_a_log_in_common_or_combined_format_gives_shapes_with_their_methods(log: list[str], expected: Declared) -> None:
    assert from_log(*log) == expected


def test_each_route_shows_how_often_it_was_asked_for() -> None:
    text = init_text(UPSTREAM, access_log=[line("GET /item/1")] * 3)
    assert 'path: "/item/{id}"}, legacy: monolith} # 3 requests' in text


def test_many_words_at_one_place_are_taken_for_values() -> None:
    log = [line(f"GET /tag/{chr(97 + n // 26)}{chr(97 + n % 26)}/posts") for n in range(40)]
    assert from_log(*log, line("GET /tag/1")) == {"/tag/{id}": ["GET"], "/tag/{id}/posts": ["GET"]}


def test_paths_that_no_route_can_be_written_for_are_counted() -> None:
    odd = ["GET //a", "GET /a/../b", 'GET /a"b', "GET /" + "a/" * 50, "GET /" + "a" * 300, "GET /\u00e4"]
    text = init_text(UPSTREAM, access_log=[line(request) for request in odd])
    assert declared(text) == {}
    assert "# 6 requests had paths that no route is written for" in text


def test_only_so_many_different_paths_are_kept() -> None:
    shapes = Shapes()
    for number in range(MAX_PATHS):
        shapes.add("GET", f"/{chr(97 + number % 26)}{number}")
    assert shapes.left_out == 0
    shapes.add("GET", "/one/more")
    shapes.add("GET", "/a0")
    assert shapes.left_out == 1


def test_a_token_in_a_logged_path_is_not_written_into_the_file() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJl"
    text = init_text(UPSTREAM, access_log=[line(f"GET /reset/{token}")])
    assert token not in text
    assert declared(text) == {}


@pytest.mark.parametrize(
    "written",
    [
        {"request": {"method": "GET", "uri": "/item/7?x"}, "status": 200},
        {"RequestMethod": "GET", "RequestPath": "/item/7", "DownstreamStatus": 200},
        {"request_method": "GET", "request_uri": "/item/7", "status": "200"},
        {"request": "GET /item/7 HTTP/1.1", "status": 200},
    ],
)
def test_logs_of_json_lines_are_read(written: dict[str, object]) -> None:
    assert from_log(json.dumps(written), json.dumps(written | {"status": 404})) == {"/item/{id}": ["GET"]}


@pytest.mark.parametrize(
    "line",
    ["", "nothing of the kind", '{"method": "GET"}', '{"method": 1, "path": [], "status": {}}', "{" * 20_000, "{}"],
)
def test_a_file_that_is_no_access_log_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="no line describes a request as access logs do"):
        init_text(UPSTREAM, access_log=[line])


def test_a_huge_log_gives_a_bounded_file_of_the_most_asked_for_routes() -> None:
    words = [f"{a}{b}{c}" for a in "abcdefgh" for b in "abcdefgh" for c in "abcdefghijklmnopqrst"]
    log = [line(f"GET /{a}/{b}/{c}") for a, b, c in (tuple(word) for word in words)]
    begun = time.process_time()
    text = init_text(UPSTREAM, access_log=[*log, *[line("GET /popular")] * 5])
    assert time.process_time() - begun < 10
    paths = declared(text)
    assert len(paths) == MAX_ROUTES
    assert "/popular" in paths
    assert f"# {len(log) + 1 - MAX_ROUTES} more path shapes were found" in text


OPENAPI = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://m.example/api/"}],
    "paths": {
        "/item": {"get": {}, "post": {}, "parameters": []},
        "/item/{itemId}": {"summary": "x", "get": {}, "delete": {}},
        "/report/{year}-{month}.pdf": {"get": {}},
        "/user/{id}/email/{id}": {"get": {}},
        "/a b/{odd-name}": {"put": {}},
        "/shared": {"$ref": "#/x"},
        "x-internal": {"get": {}},
    },
}
EXPECTED: Declared = {
    "/api/a%20b/{odd_name}": ["PUT"],
    "/api/item": ["GET", "POST"],
    "/api/item/{itemId}": ["DELETE", "GET"],
    "/api/report/{year}": ["GET"],
    "/api/shared": None,
    "/api/user/{id}/email/{id2}": ["GET"],
}


@pytest.mark.parametrize("dump", [json.dumps, yaml.safe_dump], ids=["json", "yaml"])
def test_an_openapi_document_gives_one_route_a_path(dump: type) -> None:
    assert declared(init_text(UPSTREAM, openapi=dump(OPENAPI))) == EXPECTED


@pytest.mark.parametrize(
    ("fields", "base"),
    [
        ({"basePath": "/v2"}, "/v2"),
        ({"servers": []}, ""),
        ({"servers": [{"url": "/v3"}, {"url": "/v4"}]}, "/v3"),
        ({"servers": [{"url": "https://{host}/v5"}]}, ""),
        ({"servers": "none"}, ""),
    ],
)
def test_the_first_servers_path_stands_before_every_path(fields: dict[str, object], base: str) -> None:
    assert from_openapi({"paths": {"/a": {"get": {}}}} | fields) == {f"{base}/a": ["GET"]}


def test_paths_that_differ_in_names_alone_become_one_route() -> None:
    assert from_openapi({"paths": {"/a/{x}": {"get": {}}, "/a/{y}": {"post": {}}}}) == {"/a/{x}": ["GET", "POST"]}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("", "empty"),
        ("[]", "not a mapping"),
        ("{}", "has no paths"),
        ('{"paths": []}', "has no paths"),
        ("a: [", "line 2: not YAML"),
        ('{"paths": ' + '{"a":' * 100_000, "nest"),
        ("a: &a [*a]", "must refer to an anchor that is complete"),
    ],
)
def test_a_document_that_is_none_is_refused_with_a_sentence(document: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        init_text(UPSTREAM, openapi=document)


def test_two_sources_at_once_are_refused() -> None:
    with pytest.raises(ValueError, match="give one of them"):
        init_text(UPSTREAM, openapi="{}", access_log=[])


def test_a_file_that_exists_is_never_overwritten_and_a_link_to_nowhere_not_followed(tmp_path: Path) -> None:
    path, link = tmp_path / "routes.yaml", tmp_path / "link.yaml"
    write_new(path, "mine")
    link.symlink_to(tmp_path / "elsewhere")
    for each in (path, link):
        with pytest.raises(FileExistsError):
            write_new(each, "other")
    assert path.read_text(encoding="utf-8") == "mine"


segments = st.one_of(
    st.sampled_from(["item", "17", UUID, "a%20b", "", "..", "{x}", "{x", "}", "${A}", "*x", "on", "no"]),
    st.sampled_from(
        ["sk", "xoxb", "glpat", "countries-and-their-regions", "everything-else", "c0ffee" + "0123456789abcdef" * 3]
    ),
    st.text(max_size=12),
)
raw_paths = st.lists(segments, max_size=5).map(lambda pieces: "/" + "/".join(pieces))
requests = st.tuples(st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "CONNECT", "NO"]), raw_paths)
operations = st.dictionaries(st.sampled_from(["get", "head", "x-y", "parameters"]), st.none())


@settings(max_examples=examples(200), deadline=None)
@example([("GET", "/sk/countries-and-their-regions")])
@given(st.lists(requests, max_size=20))
def test_whatever_is_logged_the_file_has_no_fault_and_declares_what_it_lists(log: list[tuple[str, str]]) -> None:
    text = init_text(UPSTREAM, access_log=[line("GET /"), *(line(f"{method} {path}") for method, path in log)])
    it = Matcher(table(text))
    assert not it.match(b"GET", b"/")[0].undeclared


@settings(max_examples=examples(200), deadline=None)
@example({"/c0ffee0123456789abcdef0123456789abcdef": {"get": None}})
@given(st.dictionaries(raw_paths, operations, min_size=1))
def test_whatever_a_document_names_the_file_has_no_fault(paths: dict[str, dict[str, None]]) -> None:
    table(init_text(UPSTREAM, openapi=json.dumps({"paths": paths})))
