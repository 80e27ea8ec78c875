"""Contract section 7: the three routes of the runner."""

import asyncio
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request

from examples.monolith.http.application import Application, no_route
from examples.monolith.http.body import read_body
from examples.monolith.http.metrics import MEDIA_TYPE
from examples.monolith.http.refusals import bad_request
from examples.monolith.http.wire import Answer, enveloped, raw_path
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
from examples.runner.languages import LANGUAGES, Unsupported, command_of
from examples.runner.process import execute
from examples.runner.settings import Settings

AT_ONCE = 8
"""Runs beyond these wait for their turn; their time begins with it."""
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


class Runner(Application):
    """Runs whatever anybody sends it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(production=settings.production)
        self._settings = settings
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def handled(self, request: Request) -> Answer:
        body = await read_body(request)
        method = "GET" if request.method == "HEAD" else request.method
        match method, raw_path(request).lower().removesuffix("/"):
            case "POST", "/run":
                return await self._run(body)
            case "GET", "/health":
                return enveloped({"status": "ok"})
            case "GET", "/metrics":
                return Answer(200, self.metrics.text().encode(), MEDIA_TYPE)
            case _:
                raise no_route(request)

    async def _run(self, body: Any) -> Answer:
        """Version and image count for nothing (C10)."""
        refuse_invalid(WORKLOAD, body, production=self.production)
        settings = body["settings"]
        try:
            command = command_of(settings["language"], settings.get("version"))
        except Unsupported as error:
            raise bad_request(str(error)) from error
        stdin = "\n".join(body["stdin"]) + "\n"
        async with self._turn:
            run = await execute(command, body["sourceCode"], stdin, timeout_s=self._settings.timeout_s)
        return enveloped({"stdout": run.stdout, "stderr": run.stderr, "exitCode": run.exit_code}, 201)


def create_app(settings: Settings) -> Starlette:
    app = Starlette()
    app.router.default = Runner(settings)
    return app
