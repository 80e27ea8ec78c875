"""`improved` shows hidden validators to administrators only; `strict` shows them to every reader, as the monolith."""

from typing import Any

import pytest

from tests.parity.learning.lessons import MODULE
from tests.support.monolith.monolith_file import MonolithData
from tests.unit.extracted.learning.contents.trees import ADMIN, READER, add, data_of, running_learning, send
from tests.unit.extracted.running import Gateway


def hidden(content: Any) -> list[bool]:
    editor = content["rootComponent"]["data"]["components"][1]
    return [validator["isHidden"] for validator in editor["data"]["validators"]]


@pytest.mark.parametrize(("compat", "readers"), [("strict", [False, True]), ("improved", [False])])
def test_who_sees_hidden_validators(file: MonolithData, gateway: Gateway, compat: str, readers: list[bool]) -> None:
    with running_learning(file, gateway, COMPAT=compat) as learning:
        content = add(learning)
        named = {"contents": [content["id"]]}
        module = data_of(send(learning, "POST", "/module", MODULE | named))
        for who, wanted in ((ADMIN, [False, True]), (READER, readers)):
            shown = data_of(send(learning, "GET", f"/content/{content['id']}", who=who))
            (listed,) = data_of(send(learning, "GET", "/content", who=who))
            (within,) = data_of(send(learning, "GET", f"/module/{module['id']}", who=who))["contents"]
            assert [hidden(one) for one in (shown, listed, within)] == [wanted] * 3
        assert hidden(data_of(send(learning, "PUT", f"/content/{content['id']}", without_id(content)))) == [False, True]


def without_id(content: dict[str, Any]) -> dict[str, Any]:
    return {"data": {}} | {name: value for name, value in content.items() if name != "id"}
