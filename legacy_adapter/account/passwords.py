"""Password hashes in the monolith's form: bcrypt, 10 rounds, of the first 72 bytes."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import bcrypt

ROUNDS: Final = 10
COUNTED_BYTES: Final = 72


class Passwords:
    """Hashes in its own threads, one per core, so that many sign-ups and log-ins delay only each other."""

    def __init__(self, threads: int = os.cpu_count() or 1) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="passwords")

    async def hashed(self, password: str) -> str:
        """Returns 60 characters; takes about 50 ms of a core."""
        counted = password.encode()[:COUNTED_BYTES]
        loop = asyncio.get_running_loop()
        return (await loop.run_in_executor(self._threads, _hash, counted)).decode()

    async def matches(self, password: str, secret: str) -> bool:
        """Whether `secret` is a hash of the password; it is not if it is no hash of bcrypt at all."""
        counted = password.encode()[:COUNTED_BYTES]
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _matches, counted, secret.encode())

    def close(self) -> None:
        """Drops what waits, and does not wait for running hashes."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _hash(counted: bytes) -> bytes:
    return bcrypt.hashpw(counted, bcrypt.gensalt(ROUNDS))


def _matches(counted: bytes, secret: bytes) -> bool:
    try:
        return bcrypt.checkpw(counted, secret)
    except ValueError:
        return False
