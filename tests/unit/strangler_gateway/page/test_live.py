"""What open pages are sent."""

import asyncio
from contextlib import aclosing

from strangler_gateway.page.live.live_page import LivePage, LiveTable, message
from strangler_gateway.page.live.stream import MAX_BEHIND, MAX_VIEWERS, LiveStream, Topic

PAGE = Topic("overview")


class Site:
    """A page with some elements, and its producer."""

    def __init__(self) -> None:
        self.parts: dict[str, str] = {"a": '<p id="a">1</p>', "b": '<p id="b">1</p>'}
        self.version = self.produced = 0
        self.now = 0.0
        self.stream = LiveStream(self._produce, lambda: self.version, lambda: self.now, self._refresh)

    async def _produce(self, topic: Topic) -> LivePage:
        self.produced += 1
        return LivePage(dict(self.parts))

    async def _refresh(self) -> None:
        pass


async def test_a_viewer_gets_everything_first_and_then_what_looks_different_after_a_move() -> None:
    site = Site()
    running = asyncio.create_task(site.stream.run())
    viewer = site.stream.join(PAGE)
    assert viewer is not None
    async with aclosing(site.stream.events(viewer, lambda: True)) as events, asyncio.timeout(60):
        assert await anext(events) == b"retry: 1000\n\n"
        first = await anext(events)
        assert (b">1</p>" in first, first.count(b"hx-swap-oob")) == (True, 2)
        site.parts["b"] = '<p id="b">2</p>'
        site.version += 1
        assert await anext(events) == b'data: <p hx-swap-oob="true" id="b">2</p>\n\n'
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_slow_viewer_and_one_whose_log_in_has_ended_are_let_go_and_there_are_not_too_many() -> None:
    site = Site()
    viewers = [site.stream.join(PAGE) for _ in range(MAX_VIEWERS)]
    assert site.stream.join(PAGE) is None
    running, slow = asyncio.create_task(site.stream.run()), viewers[0]
    assert slow is not None
    async with asyncio.timeout(60):
        while site.stream.join(PAGE) is None:
            site.parts["a"] = f'<p id="a">{site.produced}</p>'
            site.version += 1
            await asyncio.sleep(0.01)
    assert slow.messages.qsize() <= MAX_BEHIND
    ended = site.stream.join(PAGE)
    assert ended is not None
    assert [said async for said in site.stream.events(ended, lambda: False)][-1].startswith(b"event: expired")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def rows(**given: str) -> LivePage:
    """A page with one table."""
    shown = {name: f'<tr id="{name}"><td>{text}</td></tr>' for name, text in given.items()}
    return LivePage({}, {"t": LiveTable(f'<tbody id="t">{"".join(shown.values())}</tbody>', shown)})


def test_rows_are_sent_alone_and_their_table_when_one_has_come_or_gone_or_changed_places() -> None:
    before = rows(a="1", b="1")
    assert before.since(before) == []
    assert rows(a="1", b="2").since(before) == ['<tr id="b"><td>2</td></tr>']
    for after in (rows(a="1"), rows(b="1", a="1"), rows(a="1", b="1", c="1"), rows()):
        assert after.since(before) == [after.tables["t"].body]
    assert before.since(LivePage()) == before.whole() == [before.tables["t"].body]


def test_rows_are_sent_within_a_table_and_only_their_own_id_is_marked() -> None:
    said = message(['<tr id="r"><td id="x">a\nb</td></tr>'])
    assert said == b'data: <table><tr hx-swap-oob="true" id="r"><td id="x">a\ndata: b</td></tr></table>\n\n'
    assert message([]) == b""
