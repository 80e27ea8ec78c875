"""An upstream in a process of its own: notes each write that arrives in a file, and misbehaves when it is told."""

import argparse
import asyncio
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.support.origins import Answer, Request, origin

SLOW_S = 0.7


@dataclass
class Instance:
    """`mode`: `well`, `slow`, or `fail`: then it answers 500, though its readiness does not show it."""

    name: str
    arrivals: int
    mode: str = "well"

    async def answer(self, request: Request) -> Answer:
        target = request.target.decode()
        if target.startswith("/chaos/"):
            self.mode = target.removeprefix("/chaos/")
        elif target != "/health":
            if request.method == b"POST":
                os.write(self.arrivals, f"{target.rpartition('/')[2]}\n".encode())
            if self.mode == "slow":
                await asyncio.sleep(SLOW_S)
            if self.mode == "fail":
                return Answer(500, self._body())
        return Answer(body=self._body())

    def _body(self) -> bytes:
        return json.dumps({"side": self.name}).encode()


async def serve(name: str, port: int, arrivals: Path) -> None:
    """Until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    file = os.open(arrivals, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    async with origin(Instance(name, file).answer, port) as served:
        print(f"listening on {served.url}", flush=True)
        await ended.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("port", type=int)
    parser.add_argument("arrivals", type=Path)
    options = parser.parse_args()
    asyncio.run(serve(options.name, options.port, options.arrivals))
