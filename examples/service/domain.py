"""Values and rules of the service: only the standard library, no I/O, no clock."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

_ADD = '<form method="post">Title <input name="title"><button>Add</button></form>'


@dataclass(frozen=True, slots=True)
class Shelf:
    """A reader's books, in the order in which they were added."""

    reader: str
    titles: Sequence[str]

    def page(self) -> str:
        """The monolith's page, byte for byte."""
        books = "".join(f"<li>{html.escape(title)}</li>" for title in self.titles)
        return f"<h1>{html.escape(self.reader)}</h1><ul>{books}</ul>{_ADD}"
