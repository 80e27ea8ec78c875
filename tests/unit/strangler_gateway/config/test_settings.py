"""Settings come from the environment; secrets also from files, and they are never shown."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from strangler_gateway.settings import Settings


def settings(**values: Any) -> Settings:
    """As the command line makes them."""
    return Settings(**values)


@pytest.mark.parametrize("name", ["broker_url", "operator_token"])
def test_a_secret_is_read_from_the_file_that_its_variable_names_and_never_shown(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("amqp://gateway:s3cret@broker/\n")
    monkeypatch.setenv(f"STRANGLER_{name.upper()}_FILE", str(tmp_path / "secret"))
    made = settings()
    assert getattr(made, name).get_secret_value() == "amqp://gateway:s3cret@broker/"
    assert "s3cret" not in repr(made)


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "70000"), ("NAME", "a b"), ("BODY_TIMEOUT_S", "0"), ("LOG_FIELDS", "path,body")]
)
def test_a_value_out_of_range_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"STRANGLER_{name}", value)
    with pytest.raises(ValidationError):
        settings()


def test_the_state_lies_beside_the_routes_file_unless_set(tmp_path: Path) -> None:
    assert settings(routes=tmp_path / "routes.yaml").state == tmp_path.resolve() / ".strangler"
    assert settings(routes=tmp_path / "routes.yaml", state_dir=tmp_path / "x").state == tmp_path / "x"
