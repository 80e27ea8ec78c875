"""A SIGKILL between any two writes leaves a content as before or as after, and nothing that tidying does not find."""

from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from legacy_adapter.learning.contents import LegacyContents
from legacy_adapter.learning.tidying import LegacyTreeCare
from legacy_adapter.stores import opened
from tests.parity.learning.lessons import CONTENT
from tests.support.monolith.monolith_file import MonolithData
from tests.unit.extracted.learning.contents.trees import add, changed, loose, running_learning, send, without_ids
from tests.unit.extracted.running import Gateway

pytestmark = pytest.mark.walk
POINTS = {
    "POST": ("validators_added", "components_added"),
    "PUT": (
        "validators_added", "components_added", "validators_changed", "components_changed", "content_changed",
        "components_removed", "validators_removed",
    ),
    "DELETE": ("content_removed", "components_removed", "validators_removed"),
}  # fmt: skip
COMPLETE = {("PUT", "validators_removed"), ("DELETE", "validators_removed")}
"""The last write is done."""


async def found(file: MonolithData, content_id: str) -> Any:
    """The content as readers see it."""
    stores = opened(file.url, file.documents_url)
    content = await LegacyContents(stores.documents).find(content_id)
    await stores.aclose()
    return content


async def tidied(file: MonolithData) -> int:
    """How many nodes tidying removes, whatever their age; it has none to restore."""
    stores = opened(file.url, file.documents_url)
    told = await LegacyTreeCare(stores.documents).tidy(datetime.now(UTC) + timedelta(seconds=2), remove=True)
    await stores.aclose()
    assert told.restored == []
    return len(told.components) + len(told.validators)


@pytest.mark.parametrize(("method", "point"), [(method, point) for method in POINTS for point in POINTS[method]])
async def test_a_reader_meets_the_content_before_or_after(
    file: MonolithData, gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, point: str
) -> None:
    armed = tmp_path / "failpoints"
    monkeypatch.setenv("FAILPOINTS_FILE", str(armed))
    with running_learning(file, gateway) as learning:
        other, before = add(learning, name="Other"), add(learning)
        content_id, after = before["id"], changed(before)
        armed.write_text(f"learning.{point}=kill")
        target = "/content" if method == "POST" else f"/content/{content_id}"
        with pytest.raises((HTTPException, OSError)):
            send(learning, method, target, {"POST": CONTENT, "PUT": after}.get(method))
        assert learning.process.wait(10) == -9
    shown = await found(file, content_id)
    if method == "PUT":
        assert without_ids(shown["rootComponent"]) in map(
            without_ids, (before["rootComponent"], after["rootComponent"])
        )
    else:
        assert shown == (before if method == "POST" else None)
    left, holes = loose(file)
    assert (bool(left), holes) == ((method, point) not in COMPLETE, set())
    assert await tidied(file) == len(left)
    assert loose(file) == (set(), set())
    assert await tidied(file) == 0
    assert (await found(file, other["id"]), await found(file, content_id)) == (other, shown)
