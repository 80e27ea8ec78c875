"""Frames are followed over any split of the bytes."""

from hypothesis import given
from hypothesis import strategies as st

from strangler_gateway.http.websocket import Frames, close_frame


def frame(payload: bytes, masked: bool) -> bytes:
    size = len(payload)
    mask = 0x80 if masked else 0
    if size < 126:
        head = bytes((0x82, mask | size))
    elif size < 1 << 16:
        head = bytes((0x82, mask | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x82, mask | 127)) + size.to_bytes(8, "big")
    return head + (b"mask" if masked else b"") + payload


SIZES = st.sampled_from([0, 1, 125, 126, 127, 300, 65535, 65536, 70000])


@given(st.lists(st.tuples(SIZES, st.booleans()), min_size=1, max_size=4), st.integers(1, 5000))
def test_only_between_two_frames_is_a_boundary(frames: list[tuple[int, bool]], step: int) -> None:
    raw, ends = b"", {0}
    for size, masked in frames:
        raw += frame(b"x" * size, masked)
        ends.add(len(raw))
    follower = Frames()
    for at in range(0, len(raw), step):
        follower.feed(raw[at : at + step])
        passed = min(at + step, len(raw))
        assert follower.at_boundary == (passed in ends)


def test_a_close_frame_carries_its_code_unmasked() -> None:
    """RFC 6455 §5.5.1."""
    assert close_frame(1001) == b"\x88\x02\x03\xe9"
