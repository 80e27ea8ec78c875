"""Whatever a file contains: a routes file that passes the check, or a refusal in words; never anything else."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from typer.testing import CliRunner

from strangler_gateway.cli.app import app
from strangler_gateway.config.file import load
from strangler_gateway.export.given import service_at
from strangler_gateway.export.rules import ExportOptions
from strangler_gateway.export.targets import export
from strangler_gateway.importing import envoy, httproute, nginx
from strangler_gateway.importing.found import MAX_BYTES, FoundConfiguration, ImportRefused
from strangler_gateway.importing.write import routes_text
from tests.support.effort import examples
from tests.unit.strangler_gateway.importing.test_readers import ENVOY, HTTPROUTE, NGINX

SOURCES = ("nginx", "envoy", "httproute")
READERS: dict[str, Callable[[str], FoundConfiguration]] = {
    "nginx": nginx.read,
    "envoy": envoy.read,
    "httproute": httproute.read,
}
SMALL = """
version: 1
services: {old: {url: "http://10.0.0.1:1"}, new: {url: "http://10.0.0.2:2"}}
groups: {all: {state: canary, share: 30}}
routes:
  - {id: one, group: all, match: {methods: [GET], path: "/a/{x}"}, legacy: old, extracted: newREWRITE}
  - {id: last, group: all, match: {path: "/{rest...}"}, legacy: old, extracted: new}
"""
WRITTEN = {"nginx": NGINX, "envoy": ENVOY, "httproute": HTTPROUTE}
WORDS_OF_ANY = """~ [] {} [[]] {a: b} -1 1e400 / // /{x} /{x...} { } ; \\ $ ${x} ${ ' " # * *a &a !x % %zz 1.5 true
GET|PUT http:// http://[::1 unix: (?i) --- é \x85 \u2028"""
STRANGE = st.sampled_from(
    [*WORDS_OF_ANY.split(), "", "/a b", "(" * 30, "[^/]+" * 120, "9" * 400, "\n", "\x00", "\ufeff"]
)


def imported(source: str, text: str) -> str | None:
    """The routes file; None: refused, with a sentence."""
    try:
        return routes_text(READERS[source](text), source)
    except ImportRefused as exc:
        return None if re.search(r"\w+ \w+", str(exc)) else pytest.fail(repr(exc))


def check(source: str, text: str) -> None:
    made = imported(source, text)
    if made is not None:
        load(made, {})


@pytest.mark.parametrize("source", SOURCES)
@given(text=st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_any_text(source: str, text: str) -> None:
    check(source, text)


@st.composite
def broken(draw: st.DrawFn, text: str) -> str:
    """A configuration in which words are missing, doubled, swapped or strange."""
    words = re.split(r"([\s,:{}\[\];\"]+)", text)
    for _ in range(draw(st.integers(1, 4))):
        at, other = (draw(st.integers(0, len(words) - 1)) for _ in range(2))
        words[at] = draw(st.sampled_from([words[other], words[at] * 2]) | STRANGE)
    return "".join(words)


def exported(source: str) -> str:
    options = ExportOptions(gateway=service_at("strangler-gateway", "http://10.0.0.9:80"))
    rewrite = ', rewrite: {extracted: "/b/{x}"}' if source != "httproute" else ""  # it cannot say that
    return export(source, load(SMALL.replace("REWRITE", rewrite), {}), options).text


@pytest.mark.parametrize(
    "text", [WRITTEN, {source: exported(source) for source in SOURCES}], ids=["written", "exported"]
)
@pytest.mark.parametrize("source", SOURCES)
@settings(max_examples=examples(150))
@given(data=st.data())
def test_a_configuration_with_faults(source: str, text: dict[str, str], data: st.DataObject) -> None:
    check(source, data.draw(broken(text[source])))


def other_types(value: object) -> Iterator[object]:
    """The document with each of its values, one after another, replaced by one of each other type."""
    yield from (None, ["x"], {"x": "y"}, -1, "x" * 5000)
    if isinstance(value, dict):
        yield from ({**value, key: each} for key, inner in value.items() for each in other_types(inner))
        yield from ({each: value[each] for each in value if each != key} for key in value)
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from ([*value[:at], each, *value[at + 1 :]] for each in other_types(inner))


@pytest.mark.parametrize("source", ["envoy", "httproute"])
def test_a_value_of_another_type_in_any_place(source: str) -> None:
    first = next(YAML(typ="safe").load_all(WRITTEN[source]))
    for each in other_types(first):
        check(source, json.dumps(each))  # JSON is YAML


WORDS = """server location upstream split_clients map if include proxy_pass return rewrite ~ ~* = ^~ @x / /a/
^/a/([0-9]+)$ \\.php$ http://a http://b:1/c $x $uri content_by_lua_block limit_except GET 20% * a
default 10.0.0.1:80 internal"""
LINE = st.lists(st.sampled_from(WORDS.split()) | STRANGE, min_size=1, max_size=4).map(" ".join)
BLOCKS = st.recursive(
    LINE.map(lambda line: f"{line};\n"),
    lambda inner: st.tuples(LINE, st.lists(inner, max_size=4)).map(lambda one: f"{one[0]} {{\n{''.join(one[1])}}}\n"),
    max_leaves=12,
)


@settings(max_examples=examples(200))
@given(blocks=st.lists(BLOCKS, max_size=4))
def test_directives_in_any_place(blocks: list[str]) -> None:
    check("nginx", f"server {{ location / {{ proxy_pass http://a; }}\n{''.join(blocks)}}}")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe{",
        b"x" * (MAX_BYTES + 1),
        b"a: 1\n" * (MAX_BYTES // 5),
        b"{" * 100_000,
        b"- [" * 100_000,
        b"\x00",
        b"",
    ],
    ids=["not UTF-8", "too long", "as long as possible", "braces", "brackets", "NUL", "empty"],
)
def test_a_file_that_is_none_of_these_is_refused_in_one_line(source: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    result = CliRunner().invoke(app, ["import", source, str(tmp_path / "file")])
    assert result.exit_code in (1, 2), result.output[:300]
    assert result.output.count("\n") == 1
    assert str(tmp_path / "file") in result.output
