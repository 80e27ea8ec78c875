"""A Lua script that runs on one key, and its call as Redis reads it (EVALSHA, redis.io/docs)."""

from collections.abc import Sequence

from strangler_gateway.redis.link import encoded


class RedisScript:
    """`prefix`: of its keys. `trial`: arguments of a harmless call, which shows that it works."""

    def __init__(self, text: bytes, prefix: bytes, trial: Sequence[bytes]) -> None:
        self.text, self.prefix, self._trial = text, prefix, trial
        self._head = b""

    def loaded(self, digest: bytes) -> None:
        """Redis knows it by this name from now on."""
        words = encoded(b"EVALSHA", digest, b"1").partition(b"\r\n")[2]
        self._head = b"*%d\r\n%b" % (4 + len(self._trial), words)

    def command(self, key: bytes, *arguments: bytes) -> bytes:
        """With as many arguments as a trial has. `key`: without the prefix."""
        named = self.prefix + key
        said = [b"$%d\r\n%b\r\n" % (len(word), word) for word in arguments]
        return b"%b$%d\r\n%b\r\n%b" % (self._head, len(named), named, b"".join(said))

    def trial(self) -> bytes:
        """On a key of its own."""
        return self.command(b"trial", *self._trial)
