"""Which users a share takes: each key has one bucket, for ever. Pure."""

import mmh3

BUCKETS = 10_000


def key_hash(salt: str, key: bytes) -> int:
    """32 bits: murmur3_32(salt:key), unsigned."""
    return mmh3.hash(salt.encode() + b":" + key, signed=False)


def bucket(salt: str, key: bytes) -> int:
    """0 … 9999: the key's hash mod 10000. A share of s basis points takes the buckets below s."""
    return key_hash(salt, key) % BUCKETS
