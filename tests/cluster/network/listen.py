"""Runs in a pod, or outside: accepts connections on every port that the arguments name, and ends them."""

import asyncio
import sys


async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def main(ports: list[int]) -> None:
    for port in ports:
        await asyncio.start_server(accept, "0.0.0.0", port)
    print("listens", flush=True)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main([*map(int, sys.argv[1:])]))
