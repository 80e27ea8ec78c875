"""Reads an answer of another server without letting it decide how much memory it takes."""

from collections.abc import AsyncIterable


async def read_limited(chunks: AsyncIterable[bytes], max_bytes: int) -> bytes:
    """All of it. Raises ValueError if there is more."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            raise ValueError(f"more than {max_bytes} bytes")
    return bytes(body)
