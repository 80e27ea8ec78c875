"""Runs in a pod, or outside. The argument is a JSON list of [name, address, port]; prints the names of those reached.

Port 0: the address is a name, which is looked up. SOURCE is the address to ask from, if there are several.
"""

import asyncio
import json
import os
import sys

TIMEOUT_S = 3
"""Many of those that are refused are not told so: the kernel sends few such messages a second."""
SOURCE = (os.environ["SOURCE"], 0) if "SOURCE" in os.environ else None


async def is_reached(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await (connect(address, port) if port else look_up(address))
    except OSError:
        return False
    return True


async def connect(address: str, port: int) -> None:
    _, writer = await asyncio.open_connection(address, port, local_addr=SOURCE)
    writer.close()


async def look_up(name: str) -> None:
    await asyncio.get_running_loop().getaddrinfo(name, None)


async def main(targets: list[tuple[str, str, int]]) -> None:
    found = await asyncio.gather(*(is_reached(address, port) for _, address, port in targets))
    print(json.dumps([name for (name, _, _), reached in zip(targets, found, strict=True) if reached]))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
