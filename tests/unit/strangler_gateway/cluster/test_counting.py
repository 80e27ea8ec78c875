"""When the counters of several gateways may be added up, and when all begin anew."""

from pathlib import Path

import pytest

from strangler_gateway.cluster.counting import Apart, Counting, apart
from strangler_gateway.telemetry.stats import Stats

A, B = {"a": "1"}, {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([("a", "1", A)], None),
        ([("a", "1", B), ("b", "2", B)], None),
        ([("a", "1", {}), ("b", "2", {})], Apart(("a", "b"), B)),
        ([("a", "1", A), ("b", "2", A)], Apart(("b",), B)),
        ([("a", "1", B), ("b", "3", B)], Apart(("b",), {"a": "1", "b": "3"})),
        ([("a", "1", B)], Apart(("b",), None)),
        ([("a", "1", B), ("b", "2", A)], Apart(("b",), B)),
    ],
    ids=["alone", "together", "first", "joined", "lost", "gone", "one has not heard of it"],
)
def test_counters_belong_together_while_nobody_has_lost_any(
    rows: list[tuple[str, str, dict[str, str]]], found: Apart | None
) -> None:
    assert apart(rows) == found


def test_only_a_graceful_stop_keeps_the_id_of_the_counters(tmp_path: Path) -> None:
    path = tmp_path / "counting.json"
    first = Counting(path, Stats())
    first.resume()
    first.begin(B)
    first.keep()
    second, after_kill = Counting(path, Stats()), Counting(path, Stats())
    second.resume()
    assert (second.id, second.together) == (first.id, B)
    after_kill.resume()
    assert after_kill.id not in (first.id, second.id)
    assert after_kill.together == {}


def test_what_was_counted_before_stays_uncounted_after_a_restart(tmp_path: Path) -> None:
    stats, path = Stats(wall=lambda: 50.0), tmp_path / "counting.json"
    stats.route("r").shadow_compared = 7
    first = Counting(path, stats)
    first.begin(A)
    first.keep()
    restarted = Stats(wall=lambda: 60.0)
    Counting(path, restarted).resume()
    assert (restarted.anew, restarted.anew_at) == ({"r": (0, 7, 0, 0, 0)}, 50.0)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": "x", "together": 3, "anew": null}', "\xff"])
def test_a_file_that_cannot_be_read_begins_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "counting.json").write_text(text, "latin-1")
    one = Counting(tmp_path / "counting.json", Stats())
    one.resume()
    assert one.together == {}
