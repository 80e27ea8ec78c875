"""Settings come from the environment, secrets also from files, and faults are told without values."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from chassis import settings
from chassis.settings import SettingsInvalid, load


class Settings(settings.ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="THING_")

    key: SecretStr
    other_key: SecretStr | None = None
    size: int = 3
    name: str = "thing"


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("  from a file\n")
    return path


def test_a_secret_comes_from_the_variable_or_from_the_file_that_another_one_names(
    monkeypatch: pytest.MonkeyPatch, secret_file: Path
) -> None:
    monkeypatch.setenv("THING_KEY_FILE", str(secret_file))
    monkeypatch.setenv("THING_OTHER_KEY_FILE", str(secret_file))
    loaded = load(Settings)
    assert loaded.key.get_secret_value() == "from a file"
    assert loaded.other_key is not None
    assert loaded.other_key.get_secret_value() == "from a file"
    monkeypatch.setenv("THING_KEY", "from the variable")
    assert load(Settings).key.get_secret_value() == "from the variable"


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch, secret_file: Path) -> None:
    monkeypatch.setenv("THING_KEY", "")
    monkeypatch.setenv("THING_SIZE", "")
    monkeypatch.setenv("THING_KEY_FILE", str(secret_file))
    assert (load(Settings).key.get_secret_value(), load(Settings).size) == ("from a file", 3)


def test_what_is_no_secret_has_no_file(monkeypatch: pytest.MonkeyPatch, secret_file: Path) -> None:
    monkeypatch.setenv("THING_KEY", "k")
    monkeypatch.setenv("THING_NAME_FILE", str(secret_file))
    assert load(Settings).name == "thing"


def test_a_command_line_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING_KEY", "k")
    monkeypatch.setenv("THING_SIZE", "4")
    assert load(Settings, size=5, name=None).size == 5


def test_a_file_that_cannot_be_read_is_told_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("THING_KEY_FILE", str(tmp_path / "nothing"))
    with pytest.raises(SettingsInvalid, match=r"^THING_KEY_FILE: .*nothing cannot be read: No such file"):
        load(Settings)
    (tmp_path / "nothing").write_bytes(b"\xff\xfe secret")
    with pytest.raises(SettingsInvalid, match="not UTF-8"):
        load(Settings)


def test_all_faults_are_told_at_once_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THING_KEY", raising=False)
    monkeypatch.setenv("THING_SIZE", "tell-nobody")
    with pytest.raises(SettingsInvalid) as refused:
        load(Settings)
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == ["THING_KEY", "THING_SIZE"]
    assert "tell-nobody" not in str(refused.value)


def test_not_even_pydantic_shows_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING_SIZE", "tell-nobody")
    with pytest.raises(ValidationError) as refused:
        Settings(key=SecretStr("k"))
    assert "tell-nobody" not in str(refused.value)


def test_a_secret_never_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING_KEY", "tell-nobody")
    loaded = load(Settings)
    assert "tell-nobody" not in f"{loaded!r} {loaded} {loaded.model_dump_json()}"
