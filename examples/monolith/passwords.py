"""Password hashes as the monolith keeps them: bcrypt, 10 rounds, the first 72 bytes; in a thread of their own."""

import asyncio

import bcrypt

ROUNDS = 10
MAX_BYTES = 72


async def hashed(password: str) -> str:
    return (await asyncio.to_thread(bcrypt.hashpw, _counted(password), bcrypt.gensalt(ROUNDS))).decode()


async def matches(password: str, secret: str) -> bool:
    return await asyncio.to_thread(bcrypt.checkpw, _counted(password), secret.encode())


def _counted(password: str) -> bytes:
    return password.encode()[:MAX_BYTES]
