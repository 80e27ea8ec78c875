"""Why V8 (Node 16) refuses JSON text, and that nothing else is refused."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extracted.wire.jsonsyntax import fault
from tests.support.monolith.json_texts import FAULTS


@pytest.mark.parametrize(("text", "sentence"), FAULTS.items())
def test_the_sentence(text: str, sentence: str) -> None:
    assert fault(text) == sentence


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=15,
)


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_json_is_never_refused(value: object, indent: int | str | None, ascii_alone: bool) -> None:
    assert fault(json.dumps(value, indent=indent, ensure_ascii=ascii_alone)) is None


@given(VALUES.map(json.dumps), st.data())
def test_what_python_refuses_is_refused(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    changed = text[:at] + data.draw(st.sampled_from('{}[]":,\\ex01 -.')) + text[at + data.draw(st.integers(0, 1)) :]
    try:
        json.loads(changed)
    except ValueError:
        assert fault(changed) is not None
    else:
        assert fault(changed) is None


@pytest.mark.parametrize(
    "text", ["[" * 50_000 + "]" * 50_000, "{}" + " " * 100_000, '["' + "\\n" * 50_000, "[" + "1" * 100_000]
)
def test_the_longest_body_takes_no_time_to_speak_of(text: str) -> None:
    started = time.process_time()
    fault(text)
    assert time.process_time() - started < 1.0
