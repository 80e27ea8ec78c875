"""The operators' status comes from outside: what does not have its shape is refused, and never repeated."""

import json

import pytest

from chassis.service.operators_status import MAX_PARKED, MAX_QUEUES, read

ITEM = {"id": "7", "what": "paid.v1", "why": "unreadable", "at": "2026-11-30T23:00:00+02:00"}
RETRY = {"name": "retry", "path": "/internal/parked/{id}/retry"}


def status(**queue: object) -> bytes:
    return json.dumps({"queues": [{"name": "mails", **queue}]}).encode()


def test_what_is_missing_has_a_default_and_what_is_unknown_is_left_out() -> None:
    (queue,) = read(status(waiting=3, oldest_s=1.5, parked=[ITEM], actions=[RETRY], more="x"))
    assert (queue.state, queue.says, queue.waiting) == ("ok", "", 3)
    assert queue.parked[0].at is not None
    assert queue.parked[0].at.isoformat() == "2026-11-30T21:00:00+00:00"
    assert read(b'{"queues": [], "tell-nobody": 1}') == ()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"tell-nobody",
        b"[]",
        b'{"queues": {}}',
        b"[" * 100_000,
        b'{"queues": [{"name": "a"}, {"name": "a"}]}',
        json.dumps({"queues": [{"name": str(n)} for n in range(MAX_QUEUES + 1)]}).encode(),
        b'{"queues": [{"name": "tell-nobody", "oldest_s": NaN}]}',
        b'{"queues": [{"name": "\xff"}]}',
        status(name=""),
        status(waiting=-1),
        status(waiting="tell-nobody"),
        status(waiting=10**400),
        status(oldest_s=-1),
        status(says="tell-nobody" * 50),
        status(parked=[ITEM] * (MAX_PARKED + 1)),
        *(status(parked=[ITEM | {"id": id}]) for id in ("", "..", "a b", "a\n", "é", "x" * 201)),
        *(status(parked=[ITEM | {"at": at}]) for at in ("x", "2026-11-30T21:00:00", "0001-01-01T00:00:00+02:00")),
        *(status(actions=[RETRY | {"name": name}]) for name in ("", "Retry", "re try", "<b>", "r" * 21)),
        *(
            status(actions=[RETRY | {"path": path}])
            for path in ("", "http://e/{id}", "//e/{id}", "/parked", "/{id}?x", "/{id} HTTP/1.1\r\nX: 1", "/{id}\n")
        ),
    ],
)  # fmt: skip
def test_another_shape_is_refused_in_a_sentence_that_repeats_nothing(answer: bytes) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read(answer)
    assert "tell-nobody" not in str(refused.value)
    assert len(str(refused.value)) < 300
