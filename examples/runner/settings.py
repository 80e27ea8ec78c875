"""The runner's settings, under the monolith's names."""

from collections.abc import Mapping
from dataclasses import dataclass

from examples.monolith.settings import whole_number

TIMEOUT_MS = 15_000
LARGEST_TIMEOUT_MS = 600_000


@dataclass(frozen=True, slots=True)
class Settings:
    """`timeout_s`: how long a run may take."""

    timeout_s: float = TIMEOUT_MS / 1000
    production: bool = True


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Raises SettingsInvalid."""
    timeout_ms = whole_number("RUNNER_TIMEOUT", environ, LARGEST_TIMEOUT_MS, TIMEOUT_MS)
    return Settings(timeout_s=timeout_ms / 1000, production=environ.get("NODE_ENV", "production") == "production")
