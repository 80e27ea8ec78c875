"""Mailer's baseline: the SMTP library alone, one mail after another, without a row or a queue."""

import asyncio
import time
import uuid

import aiosmtplib

_BODY = "hello\r\n" * 50


def mails_per_s(port: int, seconds: float) -> float:
    """One connection, one message after another."""
    return asyncio.run(_loop(port, seconds))


async def _loop(port: int, seconds: float) -> float:
    count, began = 0, time.perf_counter()
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
        while time.perf_counter() - began < seconds:
            message = f"Subject: hello\r\nMessage-ID: <{uuid.uuid4()}@bench.test>\r\n\r\n{_BODY}"
            await client.sendmail("noreply@bench.test", ["ada@bench.test"], message)
            count += 1
    return count / (time.perf_counter() - began)
