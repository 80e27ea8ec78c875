"""Contract section 7: the three routes of the runner."""

import asyncio
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request

from examples.monolith.http.application import Application, no_route
from examples.monolith.http.body import read_body
from examples.monolith.http.errors import bad_request
from examples.monolith.http.metrics import MEDIA_TYPE
from examples.monolith.http.wire import ResponseContent, data_response, raw_path
from examples.monolith.validation.shapes import (
    ARE_STRINGS,
    IS_ARRAY,
    IS_STRING,
    Shape,
    nested,
    one_of,
    optional,
    refuse_invalid,
    required,
)
from examples.runner.languages import LANGUAGES, UnsupportedLanguage, interpreter_of
from examples.runner.process import execute
from examples.runner.settings import Settings

AT_ONCE = 8
"""Further runs wait; their time limit starts when they run."""
SETTINGS: Shape = {
    "language": required(one_of(*LANGUAGES)),
    "version": optional(IS_STRING),
    "image": optional(IS_STRING),
}
WORKLOAD: Shape = {
    "sourceCode": required(IS_STRING),
    "stdin": required(IS_ARRAY, ARE_STRINGS),
    "settings": nested(SETTINGS),
}


class RunnerApplication(Application):
    """Runs every program that it is sent."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(production=settings.production)
        self._settings = settings
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def handle(self, request: Request) -> ResponseContent:
        body = await read_body(request)
        method = "GET" if request.method == "HEAD" else request.method
        match method, raw_path(request).lower().removesuffix("/"):
            case "POST", "/run":
                return await self._run(body)
            case "GET", "/health":
                return data_response({"status": "ok"})
            case "GET", "/metrics":
                return ResponseContent(200, self.metrics.text().encode(), MEDIA_TYPE)
            case _:
                raise no_route(request)

    async def _run(self, body: Any) -> ResponseContent:
        """Ignores version and image (C10)."""
        refuse_invalid(WORKLOAD, body, production=self.production)
        settings = body["settings"]
        try:
            interpreter = interpreter_of(settings["language"], settings.get("version"))
        except UnsupportedLanguage as error:
            raise bad_request(str(error)) from error
        stdin = "\n".join(body["stdin"]) + "\n"
        async with self._slots:
            run = await execute(interpreter, body["sourceCode"], stdin, timeout_s=self._settings.timeout_s)
        return data_response({"stdout": run.stdout, "stderr": run.stderr, "exitCode": run.exit_code}, 201)


def create_app(settings: Settings) -> Starlette:
    app = Starlette()
    app.router.default = RunnerApplication(settings)
    return app
