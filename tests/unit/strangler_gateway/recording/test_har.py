"""`strangler record --from-har`: what a browser has saved, without its secrets."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from strangler_gateway.cli.app import app
from strangler_gateway.recording.step import load

TOKEN = "opaque-token-of-a-person"


def headers(**fields: str) -> list[dict[str, str]]:
    return [{"name": name.replace("_", "-"), "value": value} for name, value in fields.items()]


def entry(url: str, status: int = 200, text: str = "{}", **more: Any) -> dict[str, Any]:
    request = {"method": "GET", "url": url, "headers": headers(authorization=f"Bearer {TOKEN}")}
    request["headers"].insert(0, {"name": ":authority", "value": "x"})  # type: ignore[attr-defined]
    response = {"status": status, "headers": headers(content_type="application/json", content_encoding="br")}
    content = {"text": text} | more.get("content", {})
    return {"request": request | more.get("request", {}), "response": response | {"content": content}}


ENTRIES = [
    entry("https://cdn.example/app.js"),
    entry("https://api.example/me?x=1", text=json.dumps({"sessionToken": TOKEN, "name": "ada"})),
    entry("https://api.example/notes", content={"text": base64.b64encode(b'{"n":1}').decode(), "encoding": "base64"}),
    entry("https://api.example/gone", status=0),
    entry("https://api.example/broken", content={"text": "***", "encoding": "base64"}),
    entry("https://api.example/notes", 201, request={"method": "POST", "postData": {"text": '{"text":"x"}'}}),
]
ENTRIES[-1]["request"]["headers"].append({"name": "Content-Type", "value": "application/json"})


def imported(folder: Path, archive: object, *words: str) -> Result:
    source = folder / "saved.har"
    source.write_text(archive if isinstance(archive, str) else json.dumps(archive))
    return CliRunner().invoke(
        app, ["record", "--from-har", str(source), "--to", str(folder / "notes.jsonl"), "--json", *words]
    )


def test_the_origin_most_called_or_named_becomes_a_recording_without_secrets(tmp_path: Path) -> None:
    other = imported(tmp_path, {"log": {"entries": ENTRIES}}, "--origin", "https://cdn.example")
    assert json.loads(other.stdout)["taken"] == 1
    path = tmp_path / "notes.jsonl"
    path.unlink()
    result = imported(tmp_path, {"log": {"entries": ENTRIES}})
    assert (result.exit_code, json.loads(result.stdout)["taken"]) == (0, 3)
    assert json.loads(result.stdout)["left_out"] == {"other_origins": 1, "not_whole": 2}
    assert TOKEN not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    me, notes, write = load(path)
    assert (me.target, json.loads(me.answer)["name"]) == ("/me?x=1", "ada")
    assert (notes.answer, write.body) == ('{"n":1}', '{"text":"x"}')
    assert dict(me.fields)["authorization"] == f"Bearer {json.loads(me.answer)['sessionToken']}"


@pytest.mark.parametrize(
    "archive", ["", "[]", {"log": {}}, {"log": {"entries": [{}]}}, {"log": {"entries": [1]}}, "[" * 100_000]
)
def test_what_is_no_archive_is_told_and_nothing_is_written(tmp_path: Path, archive: object) -> None:
    result = imported(tmp_path, archive)
    assert (result.exit_code, "not an HTTP archive" in result.output) == (2, True)
    assert not (tmp_path / "notes.jsonl").exists()
