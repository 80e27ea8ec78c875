"""Reads the list of what runs: a file, or the output of a command."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from chassis.error_reason import reason
from chassis.registrar.entries import MAX_BYTES, Entry, ListInvalid, parse_list

COMMAND_S = 10.0

Lists = Callable[[], Awaitable[tuple[Entry, ...]]]


def from_file(path: Path) -> Lists:
    """A file that somebody else replaces or appends to."""

    async def read() -> tuple[Entry, ...]:
        return await asyncio.to_thread(_read, path)

    return read


def from_command(words: Sequence[str]) -> Lists:
    """A command that prints what runs, within ten seconds; it is run without a shell."""

    async def read() -> tuple[Entry, ...]:
        try:
            process = await asyncio.create_subprocess_exec(*words, stdin=asyncio.subprocess.DEVNULL, stdout=-1)
        except OSError as error:
            raise ListInvalid(f"{words[0]} cannot be run: {reason(error)}") from error
        try:
            async with asyncio.timeout(COMMAND_S):
                assert process.stdout is not None
                content = await _bounded(process.stdout)
                code = await process.wait()
        except TimeoutError:
            raise ListInvalid(f"{words[0]} has not ended after {COMMAND_S:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code != 0:
            raise ListInvalid(f"{words[0]} ended with exit code {code}")
        return parse_list(content)

    return read


def _read(path: Path) -> tuple[Entry, ...]:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ListInvalid(f"{path} cannot be read: {reason(error)}") from error
    return parse_list(content)


async def _bounded(stream: asyncio.StreamReader) -> bytes:
    """One byte more than a list may have is enough to refuse it."""
    content = b""
    while len(content) <= MAX_BYTES and (part := await stream.read(64 * 1024)):
        content += part
    return content
