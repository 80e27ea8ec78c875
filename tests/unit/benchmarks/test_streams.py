"""Big bodies and slow readers, against the upstream without a proxy."""

import os

import pytest

from benchmarks.common.migration import UPLOAD, bytes_target
from benchmarks.gateway import streams


def test_a_download_tells_its_time_and_all_its_bytes(origin_port: int) -> None:
    seconds, received = streams.download(origin_port, bytes_target(5_000_000), [])
    assert received == 5_000_000
    assert seconds > 0


def test_bytes_go_both_ways_at_once(origin_port: int) -> None:
    streams.both_ways(origin_port, bytes_target(3_000_001), UPLOAD, [], 3_000_001)


def test_a_body_that_comes_short_is_a_fault(origin_port: int) -> None:
    with pytest.raises(RuntimeError, match="of 3000 bytes"):
        streams.both_ways(origin_port, bytes_target(2999), UPLOAD, [], 3000)


def test_slow_readers_leave_most_of_the_body_unread(origin_port: int) -> None:
    received = streams.read_slowly(origin_port, bytes_target(50 * streams.MIB), [], readers=3, seconds=2.0)
    assert 0 < received <= 3 * 21 * 8192


def test_peak_memory_is_that_of_the_process_asked_about() -> None:
    with streams.peak_rss(os.getpid()) as peak:
        held = bytearray(60 * streams.MIB)
        held[::4096] = b"x" * len(held[::4096])
        at_least = peak() or 60
    assert at_least >= 0
    assert (peak() or 60) >= 60
