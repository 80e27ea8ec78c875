"""Writes down what the launcher has started, as the registrar takes it: JSON lines, replaced as a whole."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from examples.demo.processes import LaunchedProcess

HEALTH = "/health/ready"
WITHOUT_HEALTH = frozenset({"monolith"})
"""Its open port counts as ready: it has no path for that."""


class InstanceList:
    """The processes that serve HTTP, without the gateway: it asks for instances, and is none."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lines: list[str] = []
        self.clear()

    def add(self, process: LaunchedProcess) -> None:
        """Once it listens."""
        url = urlsplit(process.url)
        if url.scheme == "http" and not process.admin_url:
            line: dict[str, object] = {"service": process.name, "host": url.hostname, "port": url.port}
            if process.name not in WITHOUT_HEALTH:
                line["health"] = HEALTH
            self._write([*self._lines, json.dumps(line)])

    def clear(self) -> None:
        """Nothing runs any more."""
        self._write([])

    def _write(self, lines: list[str]) -> None:
        self._lines = lines
        new = self._file.with_suffix(".new")
        new.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        os.replace(new, self._file)
