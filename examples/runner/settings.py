"""What the runner is told from outside; the names are the monolith's."""

from collections.abc import Mapping
from dataclasses import dataclass

from examples.monolith.settings import SettingsInvalid

TIMEOUT_MS = 15_000
LARGEST_TIMEOUT_MS = 600_000


@dataclass(frozen=True, slots=True)
class Settings:
    """`timeout_s`: how long a run may take, from its start."""

    timeout_s: float = TIMEOUT_MS / 1000
    production: bool = True


def from_environment(environ: Mapping[str, str]) -> Settings:
    """Raises SettingsInvalid."""
    text = environ.get("RUNNER_TIMEOUT") or str(TIMEOUT_MS)
    if not text.isdecimal() or not 0 < int(text) <= LARGEST_TIMEOUT_MS:
        raise SettingsInvalid(f"RUNNER_TIMEOUT is {text!r}; wanted milliseconds, 1 to {LARGEST_TIMEOUT_MS}")
    production = environ.get("NODE_ENV", "production") == "production"
    return Settings(timeout_s=int(text) / 1000, production=production)
