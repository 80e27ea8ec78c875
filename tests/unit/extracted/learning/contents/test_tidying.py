"""`polycode learning tidy`: removes what no content reaches and is old, restores what a content misses."""

import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from legacy_adapter.documents.port import new_document
from legacy_adapter.learning.tidying import LegacyTreeCare
from legacy_adapter.stores import MonolithStores, opened
from tests.support.monolith.monolith_file import MonolithData
from tests.unit.extracted.learning.contents.trees import TOKEN, add, data_of, loose, running_learning, send
from tests.unit.extracted.running import Gateway, ask

ROOT = Path(__file__).resolve().parents[5]
HOUR = timedelta(hours=1)


def of_age(age: timedelta, **fields: Any) -> dict[str, Any]:
    document = new_document({"type": "markdown", "data": {"markdown": "x"}, **fields, "id": str(uuid.uuid4())})
    made = ObjectId.from_datetime(datetime.now(UTC) - age)
    return {**document, "_id": ObjectId(made.binary[:4] + ObjectId().binary[4:])}


async def leave(stores: MonolithStores) -> tuple[dict[str, Any], dict[str, Any]]:
    """An old component with an old validator below it, and a young one."""
    validator = of_age(3 * HOUR, isHidden=True)
    old, young = of_age(2 * HOUR, data={"validators": [validator]}), of_age(timedelta(minutes=5))
    await stores.documents.insert("component", [old, young])
    await stores.documents.insert("validator", [validator])
    return old, validator


async def test_the_command_removes_old_nodes_and_restores_missing_ones(file: MonolithData, gateway: Gateway) -> None:
    stores = opened(file.url, file.documents_url)
    with running_learning(file, gateway) as learning:
        content = add(learning)
        old, validator = await leave(stores)
        missing = content["rootComponent"]["data"]["components"][1]["data"]["validators"][0]["id"]
        whole = await stores.documents.find_one("validator", missing)
        await stores.documents.remove("validator", missing)

        def polycode(*options: str) -> Any:
            environ = os.environ | {
                "POLYCODE_LEARNING_URL": f"http://127.0.0.1:{learning.port}",
                "POLYCODE_OPERATOR_TOKEN": TOKEN,
            }
            command = [sys.executable, "-m", "extracted", "learning", "tidy", *options]
            return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout

        wanted = {"components": [old["id"]], "validators": [validator["id"]], "restored": [missing]}
        assert json.loads(polycode("--dry-run", "--json")) == wanted
        assert await stores.documents.find_one("component", old["id"]) is not None
        assert polycode("--dry-run").count("would be removed") == 2
        assert polycode().count("removed") == 2
        assert polycode().strip() == "nothing to tidy"
        assert json.loads(polycode("--older-than", "7201", "--json"))["components"] == []
        assert data_of(send(learning, "GET", f"/content/{content['id']}")) == content
    assert await stores.documents.find_one("validator", missing) == whole
    assert await stores.documents.find_one("component", old["id"]) is None
    assert len(loose(file)[0]) == 1
    await stores.aclose()


@pytest.mark.parametrize("asked", [{}, {"dryRun": 1, "olderThanS": 900}, {"dryRun": True, "olderThanS": 59}, []])
def test_a_wrong_order_is_refused(file: MonolithData, gateway: Gateway, asked: object) -> None:
    with running_learning(file, gateway) as learning:
        own = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        answer = ask(learning.port, "/internal/contents/tidy", "POST", own, json.dumps(asked).encode())
        assert answer.status == 400
        assert ask(learning.port, "/internal/contents/tidy", "POST", {}, b"{}").status == 401


async def test_what_a_change_names_again_while_it_is_tidied_is_restored(file: MonolithData) -> None:
    """Tidying has looked before the change, and removes after it."""
    stores = opened(file.url, file.documents_url)
    care = LegacyTreeCare(stores.documents)
    leaf = of_age(2 * HOUR)
    root = of_age(2 * HOUR, type="container", data={"components": []})
    await stores.documents.insert("component", [leaf, root])
    await stores.documents.add("content", {"rootComponent": root["_id"], "id": "c"})
    look = care._forest

    async def look_then_change() -> Any:
        forest = await look()
        await stores.documents.set_fields("component", root["id"], {"data": {"components": [leaf]}})
        return forest

    care._forest = look_then_change  # type: ignore[method-assign]
    told = await care.tidy(datetime.now(UTC), remove=True)
    assert told.components == [leaf["id"]]
    assert await stores.documents.find_one("component", leaf["id"]) == leaf
    await stores.aclose()
