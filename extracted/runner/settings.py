"""The runner's settings: variables RUNNER_… of the environment. A secret can also come from a file: RUNNER_X_FILE."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from extracted.identity_server.service_settings import CalledSettings
from extracted.runner.domain import Strategy


class Settings(CalledSettings):
    """What can be set."""

    model_config = SettingsConfigDict(env_prefix="RUNNER_")

    timeout: int = Field(15_000, ge=1, le=600_000)
    """As the monolith's: how many milliseconds a run of `POST /run` may take."""
    provider: Strategy = Strategy.FORKEXEC
    """As the monolith's: whose answers `POST /run` gives to time-outs and unknown versions. The sandbox is the same."""
    internal_token: SecretStr | None = Field(None, min_length=16)
    """Learning's credential for `/jobs` and `/runtimes`. Without it and without Keycloak, these routes do not exist."""
    operator_token: SecretStr | None = Field(None, min_length=16)
    """The operators' credential. None: `/internal/queues` does not exist."""
    service_audience: str = "polycode-runner"
    """The `aud` that Learning's tokens of Keycloak must have."""
    service_callers: str = "polycode-learning"
    """The clients of Keycloak that may have code run, with commas between."""
    sandbox: Literal["auto", "plain", "bubblewrap", "gvisor"] = "auto"
    """What isolates programs. auto: the strongest that works here; `python -m extracted.runner doctor` tells which."""
    allow_weak: bool = False
    """Start even if the kernel lacks a protection that the sandbox relies on. Programs may then do harm."""
    first_uid: int = Field(60_000, ge=1_000)
    """As root: the first of the user ids that programs run as. Nothing else may use them."""
    uids: int = Field(1_000, ge=1)
    """How many these are: a box has one of its own."""
    boxes_folder: Path | None = None
    """Where programs have their files while they run. None: a new folder below the system's for temporary files."""
    languages: Path | None = None
    """A folder of language files. None: those of extracted/runner/languages."""
    path: str = "/usr/local/bin:/usr/bin:/bin"
    """Where the programs of language files are looked for."""
    concurrency: int | None = Field(None, ge=1)
    """How many programs run at once. None: one for each processor."""
    boxes_ahead: int | None = Field(None, ge=0, le=256)
    """How many boxes may wait for their next program, 1.5 MB each. None: 4 for each program at once, at most 32."""
    queue: int = Field(1_000, ge=1)
    """How many jobs are accepted at once; beyond it the answer is 429."""
    queue_per_user: int = Field(100, ge=1)
    """How many of one user. `POST /run` names no user, so it does not count there."""
    queue_mb: int = Field(64, ge=1)
    """Size of the sources and inputs of all accepted jobs."""
    cache_entries: int = Field(200, ge=0)
    """How many compiled programs are kept."""
    cache_mb: int = Field(256, ge=0)
    """Their size."""
    cache_folder: Path | None = None
    """Where they are kept until the process ends. None: in a new folder below the system's for temporary files."""
    environment: Literal["production", "development"] = "production"
    """As the monolith's NODE_ENV: production adds helmet's header fields and shortens errors."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least serious lines that are logged."""
    grace_s: int = Field(20, ge=0)
    """At a stop: how long runs under way may take. Jobs that have not begun are given back (503) at once."""

    @property
    def timeout_s(self) -> float:
        """The time limit of a run in seconds."""
        return self.timeout / 1000

    @property
    def turns(self) -> int:
        """How many programs run at once."""
        return self.concurrency or os.cpu_count() or 1

    @property
    def ahead(self) -> int:
        """How many boxes may be made ahead of time."""
        return min(4 * self.turns, 32) if self.boxes_ahead is None else self.boxes_ahead
