"""Lists and trees take the same few queries, however many nodes they have."""

from typing import Any

from extracted.learning.domain import ListQuery
from extracted.learning.modules.domain import Module
from legacy_adapter.learning.contents import LegacyContents
from legacy_adapter.learning.modules import LegacyModules
from legacy_adapter.stores import opened
from tests.parity.learning.lessons import CONTENT, MODULE
from tests.support.monolith.monolith_file import MonolithData


class CountedDocuments:
    """The store, which counts its calls."""

    def __init__(self, documents: Any) -> None:
        self.calls = 0
        self._documents = documents

    def __getattr__(self, name: str) -> Any:
        self.calls += 1
        return getattr(self._documents, name)


async def test_the_number_of_queries_does_not_grow(file: MonolithData) -> None:
    stores = opened(file.url, file.documents_url)
    counted: Any = CountedDocuments(stores.documents)
    contents, modules = LegacyContents(counted), LegacyModules(stores.database, counted)
    author = file.add_user("admin")
    found: list[Module] = []
    for number in (1, 6):
        ids = [(await contents.add(CONTENT))["id"] for _ in range(number)]
        links = {"contents": ids, "modules": [module.id for module in found]}
        found += [await modules.add(author, MODULE | links) for _ in range(number)]
        last = found[-1].id
        asked = (
            contents.select(ListQuery(0, 100)),
            contents.find(ids[0]),
            modules.select(ListQuery(0, 100)),
            modules.find(last),
            contents.replace(ids[0], CONTENT),
        )
        told = []
        for question in asked:
            counted.calls = 0
            await question
            told.append(counted.calls)
        assert told[:2] == [2, 2]
        assert told[2] == (2 if number == 1 else 3)  # the first module names no module; the author is a row
        assert told[3] == 4
        assert told[4] <= 12
    await stores.aclose()
