"""A flip changes a state and a share in routes.yaml, and nothing else of it."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strangler_gateway.config.file import load
from strangler_gateway.config.yaml.source import read
from strangler_gateway.migration.routes_file.edit import Edit, NotEdited, edit, rewrite
from strangler_gateway.table.position import Position, position_of
from strangler_gateway.table.routes import MigrationState
from tests.support.gateway.migrating import EXTRACTED, LEGACY, ROUTES, SHADOW, canary


def group(name: str, position: Position) -> tuple[Edit, ...]:
    return (Edit(name, "group", position),)


def route(name: str, position: Position) -> tuple[Edit, ...]:
    return (Edit(name, "route", position),)


ITEMS = "{state: legacy, retire_after: 1d, gate: {min: 10}}  # owned by team A"
ORDERS = "state: legacy  # writes"


@pytest.mark.parametrize(
    ("edits", "changes"),
    [
        (group("items", SHADOW), {ITEMS: ITEMS.replace("legacy", "shadow")}),
        (group("items", canary(12.5)), {ITEMS: ITEMS.replace("legacy", "canary, share: 12.5")}),
        (group("orders", SHADOW), {ORDERS: "state: shadow  # writes"}),
        (group("orders", canary(0.01)), {ORDERS: "state: canary  # writes\n    share: 0.01"}),
        (route("search", EXTRACTED), {"- id: search": "- id: search\n    state: extracted"}),
        (route("search", canary(100)), {"- id: search": "- id: search\n    state: canary\n    share: 100"}),
        (route("search", LEGACY), {}),
        (
            group("items", SHADOW) + group("orders", EXTRACTED),
            {ITEMS: ITEMS.replace("legacy", "shadow"), ORDERS: "state: extracted  # writes"},
        ),
    ],
)
def test_only_the_state_and_the_share_change(edits: tuple[Edit, ...], changes: dict[str, str]) -> None:
    expected = ROUTES
    for old, new in changes.items():
        expected = expected.replace(old, new)
    assert rewrite(ROUTES, edits) == expected


@pytest.mark.parametrize("wanted", [SHADOW, canary(33.33), EXTRACTED, LEGACY])
@pytest.mark.parametrize(
    "text",
    [
        "groups: {items: {state: canary, share: 5}}",
        "groups: {items: {}}",
        "groups: {items: {salt: x}}",
        "groups: {items: {salt: x, share: 5}}",
        "groups:\n  items:\n  other: {}\n",
        "groups:\n  items: # later\n    # the salt\n    salt: x\n",
        "groups:\n  items:\n    anonymous: legacy",
        "groups:\n  items:\n    share: 5 # a third\n    state: canary\n",
        "groups:\n    items:\n        state: 'canary'\n        share: 5.00\n\n\n# end\n",
        'groups:\n  "items":\n    "state": "canary"\n    share: 5\n',
        "groups:\r\n  items:\r\n    state: canary # why\r\n    share: 5\r\n",
        "\ufeffgroups:\n  items:\n    state: canary\n    share: 5\n",
        "x: é😀\ngroups:\n  items:\n    state: canary\n    share: 5\n",
        "groups:\n  items: {\n    state: canary, # why\n    share: 5\n  }\n",
        "groups:\n  items: {salt: {a: 1}, state: legacy}\n",
    ],
)
def test_every_way_to_write_a_unit_is_understood(text: str, wanted: Position) -> None:
    after = rewrite(text, group("items", wanted))
    before = read(text.removeprefix("\ufeff"), {}).data
    said = read(after.removeprefix("\ufeff"), {}).data
    unit = said["groups"]["items"] or {}  # type: ignore[index]
    assert unit.get("state", "legacy") == wanted.state
    assert wanted.state is not MigrationState.CANARY or round(unit["share"] * 100) == wanted.share
    unit_before = before["groups"]["items"] or {}  # type: ignore[index]
    assert {k: v for k, v in unit.items() if k not in ("state", "share")} == {
        k: v for k, v in unit_before.items() if k not in ("state", "share")
    }
    assert text.count("#") == after.count("#")
    assert ("\r\n" in text) == ("\r\n" in after)
    assert after.replace("\r\n", "").count("\r") == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("groups: {other: {state: legacy}}", "no group items"),
        ("groups: [items]", "no group items"),
        ("[]", "no group items"),
        ("groups: {items: {state: legacy", "no group items"),
        ("groups: {items: {state: }}", "empty"),
        ("base: &all {state: legacy}\ngroups: {items: *all, other: *all}", "by hand"),
        ("groups: {other: &all {state: legacy}, items: *all}", "by hand"),
        ("groups: {items: &all {state: legacy}, other: *all}", "by hand"),
        ("word: &word legacy\ngroups: {items: {state: *word}}", "alias"),
        ("groups: {items: {state: '${ITEMS_STATE:-legacy}'}}", "variable"),
    ],
)
def test_what_cannot_be_edited_safely_is_left_alone(text: str, reason: str) -> None:
    with pytest.raises(NotEdited, match=reason):
        rewrite(text, group("items", SHADOW))


def test_a_file_that_is_faulty_elsewhere_is_edited_all_the_same() -> None:
    faulty = ROUTES.replace("legacy: monolith\n    extracted: items\n    shadow", "legacy: nobody\n    shadow", 1)
    assert "items: {state: shadow" in rewrite(faulty, group("items", SHADOW))


def test_the_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    real = tmp_path / "data" / "routes.yaml"
    real.parent.mkdir()
    real.write_text(ROUTES)
    real.chmod(0o640)
    link = tmp_path / "routes.yaml"
    link.symlink_to(real)
    edited = edit(link, group("items", SHADOW))
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert real.read_text() == edited.after != edited.before == ROUTES
    assert list(real.parent.iterdir()) == [real]


def full(handle: int) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("content", "mode", "fsync", "reason"),
    [
        (ROUTES.encode(), 0o444, os.fsync, "read-only"),
        (ROUTES.encode(), 0o644, full, "No space"),
        (b"\xff\xfe", 0o644, os.fsync, "written"),
        (b"x" * (2 << 20), 0o644, os.fsync, "bytes"),
    ],
    ids=["read-only, also for root", "full disk", "no text", "too big"],
)
def test_what_cannot_be_written_stays_and_nothing_is_left_beside_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    mode: int,
    fsync: Callable[[int], None],
    reason: str,
) -> None:
    path = tmp_path / "routes.yaml"
    path.write_bytes(content)
    path.chmod(mode)
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(NotEdited, match=reason):
        edit(path, group("items", SHADOW))
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (content, [path])


positions = st.sampled_from(MigrationState).flatmap(
    lambda state: st.builds(
        Position, st.just(state), st.integers(0, 10_000) if state is MigrationState.CANARY else st.just(0)
    )
)
units = st.sampled_from([("items", "group"), ("orders", "group"), ("search", "route")])


@given(st.lists(st.tuples(units, positions), max_size=8))
def test_after_any_edits_the_file_says_the_last_of_each_and_keeps_its_comments(
    wanted: list[tuple[tuple[str, str], Position]],
) -> None:
    text = ROUTES
    for (unit, kind), position in wanted:
        text = rewrite(text, (Edit(unit, kind, position),))  # type: ignore[arg-type]
    table = load(text, {})
    for (unit, _), position in dict(wanted).items():
        assert position_of(table.movables[unit]) == position
    assert text.count("#") == ROUTES.count("#")
