"""Client of the runner (contract section 7)."""

from dataclasses import dataclass
from typing import Any, Self

import httpx

from examples.monolith.http.errors import InternalFailure
from examples.monolith.http.javascript import strip

TIMEOUT_S = 60
"""As long as the web client waits; the monolith itself waits for ever."""


class RunFailed(InternalFailure):
    """The runner is unreachable, refuses, or answers something unreadable."""


@dataclass(frozen=True, slots=True)
class CodeResult:
    """Result of a run. `exit_code` is None when the runner names none."""

    stdout: str
    stderr: Any
    exit_code: Any

    @classmethod
    def of(cls, answer: Any) -> Self:
        """Reads the runner's answer. Raises RunFailed."""
        match answer:
            case {"data": {"stdout": str(stdout), **data}}:
                return cls(stdout, data.get("stderr"), data.get("exitCode"))
            case _:
                raise RunFailed("the runner's answer holds no output")

    def prints(self, expected: list[str]) -> bool:
        """Whether the run succeeded and wrote these lines, each with a line end; space around a line is ignored."""
        *lines, _rest = self.stdout.split("\n")
        return not self.exit_code and list(map(strip, lines)) == list(map(strip, expected))


class RunnerClient:
    """Sends code to the runner at `url`; without a URL every run fails."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)

    @property
    def configured(self) -> bool:
        return self._url is not None

    async def run(self, source_code: str, language: str, stdin: list[str]) -> CodeResult:
        """Raises RunFailed."""
        if self._url is None:
            raise RunFailed("RUNNER_API_URL is not set")
        workload = {"sourceCode": source_code, "stdin": stdin, "settings": {"language": language}}
        try:
            answer = await self._client.post(f"{self._url.rstrip('/')}/run", json=workload)
            return CodeResult.of(answer.raise_for_status().json())
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise RunFailed(f"{type(error).__name__}: {error}") from error

    async def aclose(self) -> None:
        await self._client.aclose()
