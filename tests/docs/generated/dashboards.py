"""Writes deploy/grafana/*.json from deploy/dashboards.yaml: `make dashboards`."""

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from string import ascii_uppercase
from typing import Any

import yaml

from tests.docs.commands import ROOT

FILE = ROOT / "deploy/dashboards.yaml"
FOLDER = ROOT / "deploy/grafana"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH, HEIGHT, ACROSS = 12, 8, 2
Json = dict[str, Any]


def written() -> Mapping[str, str]:
    """By file name, what it has to hold."""
    boards: Mapping[str, Json] = yaml.safe_load(FILE.read_text())
    return {f"{name}.json": json.dumps(_board(board), indent=1) + "\n" for name, board in boards.items()}


def _board(said: Json) -> Json:
    choice = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        **{name: said[name] for name in ("uid", "title", "description")},
        "tags": ["strangler"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "time": {"from": "now-3h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [choice]},
        "panels": list(_panels(said["rows"])),
    }


def _panels(rows: Mapping[str, list[Json]]) -> Iterator[Json]:
    ids, y = count(1), 0
    for title, panels in rows.items():
        place = {"x": 0, "y": y, "w": ACROSS * WIDTH, "h": 1}
        yield {"id": next(ids), "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}
        y += 1
        for number, panel in enumerate(panels):
            line, column = divmod(number, ACROSS)
            place = {"x": column * WIDTH, "y": y + line * HEIGHT, "w": WIDTH, "h": HEIGHT}
            yield {"id": next(ids), **_panel(panel, place)}
        y += -(-len(panels) // ACROSS) * HEIGHT


def _panel(said: Json, place: Json) -> Json:
    queries = zip(ascii_uppercase, said["show"].items(), strict=False)
    return {
        "type": "timeseries",
        "title": said["title"],
        "description": said.get("about", ""),
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": said["unit"], "min": 0}, "overrides": []},
        "targets": [
            {"refId": letter, "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for letter, (legend, query) in queries
        ],
    }


if __name__ == "__main__":
    for name, text in written().items():
        (FOLDER / name).write_text(text)
    sys.exit(0)
