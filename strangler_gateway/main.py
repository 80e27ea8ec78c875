"""The gateway process: runs until it is stopped, and tells why it cannot start."""

import asyncio
import contextlib
import signal
import sys

import uvicorn

from chassis.service.logs import configure
from chassis.settings import SettingsInvalid
from strangler_gateway.config.faults import RoutesInvalid
from strangler_gateway.handover.predecessor import find
from strangler_gateway.identity.rules import IdentityRulesInvalid
from strangler_gateway.identity.signer import SigningKeyInvalid
from strangler_gateway.process import GatewayProcess
from strangler_gateway.settings import Settings


def serve(settings: Settings) -> int:
    """Runs the gateway until SIGTERM or SIGINT; gives the exit status."""
    configure("strangler")
    factory = uvicorn.Config(app="", loop="auto", log_config=None).get_loop_factory()
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(run(settings))
    except RoutesInvalid as exc:
        print(f"{settings.routes} is not served. {exc}", file=sys.stderr)
    except (SigningKeyInvalid, IdentityRulesInvalid, SettingsInvalid, OSError) as exc:
        print(f"strangler cannot start: {exc}", file=sys.stderr)
    return 1


async def run(settings: Settings) -> int:
    """Runs the gateway on the loop of the main thread until SIGTERM or SIGINT; gives the exit status.

    Raises RoutesInvalid, SigningKeyInvalid, IdentityRulesInvalid, SettingsInvalid, OSError before it serves.
    """
    # Until the reloader takes it over, a hang-up must not end the process.
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: None)
    with contextlib.ExitStack() as open_files:
        before = await find(settings.state) if settings.reuse_port else None
        if before is not None:
            open_files.callback(before.close)
        process = GatewayProcess(settings, open_files, before)
        try:
            await process.serve()
        finally:
            await process.aclose()
    return 0
