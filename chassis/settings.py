"""Settings of a deployable: environment variables with a prefix, checked once at start. Secrets may come from files."""

import os
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from chassis.error_reason import reason

T = TypeVar("T", bound="ServiceSettings")


class SettingsInvalid(Exception):
    """The environment has invalid settings. The message has one line for each fault and shows no value."""


def revealed(secret: SecretStr | None) -> str | None:
    """The text of a secret; None if there is no secret."""
    return None if secret is None else secret.get_secret_value()


class ServiceSettings(BaseSettings):
    """Base class; set `env_prefix`. A SecretStr field X comes from PREFIX_X, else from the file PREFIX_X_FILE."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFiles(settings_cls)


class SecretFiles(PydanticBaseSettingsSource):
    """Reads each SecretStr field X from the file that PREFIX_X_FILE names, and strips white space."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = f"{self.config.get('env_prefix', '')}{field_name}_file".upper()
        path = os.environ.get(variable) if _is_secret(field) else None
        return (_read(variable, path) if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields
        found = {name: self.get_field_value(field, name)[0] for name, field in fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def load(settings: type[T], **overrides: object) -> T:
    """Reads the environment; `overrides` (of a command line) win. Raises SettingsInvalid with all faults."""
    try:
        return settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise SettingsInvalid(_faults(settings, error)) from None  # pydantic's own text would show the values


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)


def _read(variable: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(f"{variable}: {path} cannot be read: {reason(error)}") from error


def _faults(settings: type[ServiceSettings], error: ValidationError) -> str:
    prefix = settings.model_config.get("env_prefix", "")
    return "\n".join(f"{prefix}{'.'.join(map(str, e['loc']))}".upper() + f": {e['msg']}" for e in error.errors())
