"""Composition root of the runner: builds the application from settings, and serves it."""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic

import structlog
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.service import logs, server, web
from chassis.settings import SettingsInvalid, load, revealed
from extracted.identity_server.service_settings import callers
from extracted.runner.api import application, operators
from extracted.runner.api.monolith import Imitation
from extracted.runner.compile_cache import CompileCache
from extracted.runner.languages import files, runtimes
from extracted.runner.languages.files import LanguageFileInvalid
from extracted.runner.metrics import RunnerMetrics
from extracted.runner.queue import FairQueue, QueueBounds
from extracted.runner.sandbox import doctor
from extracted.runner.sandbox.opening import SandboxChoice, open_sandbox
from extracted.runner.sandbox.port import SandboxUnavailable
from extracted.runner.service import JobService
from extracted.runner.settings import Settings
from extracted.runner.steps import Steps

log = structlog.get_logger("runner.main")


class RunnerProcess:
    """The application, whose sandbox and languages are found when it starts."""

    def __init__(self, settings: Settings) -> None:
        """Raises LanguageFileInvalid."""
        self._settings = settings
        self._languages = files.load(settings.languages or files.FOLDER)
        self._service: JobService | None = None
        self._routes: ASGIApp | None = None

    def application(self) -> Starlette:
        """It serves the runner's routes, and the health routes of every service."""
        production = self._settings.environment == "production"
        return web.application(
            self._answer,
            failure=application.failure(production=production),
            ready=self._ready,
            lifespan=self._lifespan,
            description=application.description(),
        )

    def stop(self) -> None:
        """Gives back what has not begun, and leaves the rest time to end before connections are cut."""
        if self._service is not None:
            self._service.stop(max(self._settings.grace_s - 1, 0))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._routes is not None, "the server answers requests only after the lifespan has begun"
        await self._routes(scope, receive, send)

    async def _ready(self) -> None:
        return None

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        settings = self._settings
        async with AsyncExitStack() as stack:
            sandbox = await open_sandbox(_choice(settings))
            stack.push_async_callback(sandbox.aclose)
            found = await runtimes.found(self._languages, sandbox, settings.path)
            versions = {name: runtime.version for name, runtime in found.items()}
            log.info("runner_ready", sandbox=sandbox.name, languages=versions, turns=settings.turns)
            folder = Path(stack.enter_context(_programs_folder(settings)))
            queue = FairQueue(_bounds(settings), monotonic)
            cache = CompileCache(folder, entries=settings.cache_entries, size_bytes=settings.cache_mb << 20)
            metrics = RunnerMetrics(queue, cache)
            client_tokens, token = settings.client_tokens(), revealed(settings.operator_token)
            if client_tokens is not None:
                stack.push_async_callback(client_tokens.aclose)
            self._service = JobService(queue, cache, Steps(sandbox, queue, metrics), monotonic)
            self._routes = application.application(
                self._service,
                found,
                Imitation(settings.provider, settings.timeout_s),
                metrics.blocks,
                callers=callers(settings.internal_token, client_tokens),
                production=settings.environment == "production",
                clock=monotonic,
                operators=[*operators.routes(queue, token)] if token else (),
            )
            yield


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 after a normal stop, 1 if it cannot start, 2 for wrong settings."""
    options = _parser().parse_args(arguments)
    if options.command == "doctor":
        return _doctor(as_json=options.json)
    try:
        settings = load(Settings)
        process = RunnerProcess(settings)
        asyncio.run(_tried(settings))
    except (SettingsInvalid, LanguageFileInvalid) as error:
        print(error, file=sys.stderr)
        return 2
    except SandboxUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    logs.configure("runner", settings.log_level)
    return server.serve(
        process.application(),
        options.host,
        options.port,
        service="runner",
        grace_s=settings.grace_s,
        on_stop=process.stop,
    )


def _doctor(*, as_json: bool) -> int:
    """Returns 0 if the runner starts here with all that its sandbox relies on, 1 if not, 2 for wrong settings."""
    try:
        examination = asyncio.run(doctor.examine(_choice(load(Settings))))
    except SettingsInvalid as error:
        print(error, file=sys.stderr)
        return 2
    except SandboxUnavailable as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(examination.as_json()) if as_json else doctor.text(examination))
    return 1 if examination.taken is None or examination.weak else 0


async def _tried(settings: Settings) -> None:
    """Raises SandboxUnavailable before anything listens."""
    await (await open_sandbox(_choice(settings))).aclose()


def _choice(settings: Settings) -> SandboxChoice:
    return SandboxChoice(
        backend=settings.sandbox,
        first_uid=settings.first_uid,
        uids=settings.uids,
        folder=settings.boxes_folder,
        ahead=settings.ahead,
        allow_weak=settings.allow_weak,
    )


def _bounds(settings: Settings) -> QueueBounds:
    return QueueBounds(
        turns=settings.turns,
        jobs=settings.queue,
        jobs_of_user=settings.queue_per_user,
        size_bytes=settings.queue_mb << 20,
    )


def _programs_folder(settings: Settings) -> tempfile.TemporaryDirectory[str]:
    """Where compiled programs are kept. Programs of other users can reach a file in it only by its whole name."""
    folder = tempfile.TemporaryDirectory(prefix="programs-", dir=settings.cache_folder, ignore_cleanup_errors=True)
    Path(folder.name).chmod(0o711)
    return folder


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m extracted.runner",
        description="Compiles and runs code that nobody trusts, each run in a sandbox of its own.",
        epilog="Environment: RUNNER_TIMEOUT (ms), RUNNER_PROVIDER, RUNNER_INTERNAL_TOKEN[_FILE], RUNNER_LANGUAGES and "
        "others; docs/settings.md lists them.",
    )
    made.add_argument("command", nargs="?", choices=("serve", "doctor"), default="serve")
    made.add_argument("--json", action="store_true", help="doctor: print JSON")
    made.add_argument("--host", default="127.0.0.1")
    made.add_argument("--port", type=int, default=8105, help="0 means any free port")
    return made
