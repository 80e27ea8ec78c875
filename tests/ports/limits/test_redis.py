"""Redis as the place of shared counters: what is kept there, and what happens while it is away, slow, or full."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from parts.ports import free_port
from parts.servers import redis as part
from strangler_gateway.limits.limiter import Limiter
from strangler_gateway.limits.redis import RedisCounters
from strangler_gateway.redis.address import parse_redis_url
from strangler_gateway.redis.connection import RETRY_S
from strangler_gateway.telemetry.stats import Stats
from tests.http.certificates import Authority
from tests.ports.limits.counting import limiter, policy, redis, taken
from tests.support.connected import REDIS_URL
from tests.support.system.tcp_proxy import TcpProxy

pytestmark = pytest.mark.connected
TIMEOUT_S = 20.0
"""Of a call: longer than a busy machine makes Redis wait, where no test is about it."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[part.RedisServer]:
    with part.own(tmp_path) as server:
        yield server


Start = Callable[..., Awaitable[tuple[Limiter, RedisCounters]]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Connects a limiter; all are closed in the end. `problem`: why it cannot."""
    started: list[Limiter] = []

    async def make(
        url: str, timeout_s: float = TIMEOUT_S, stats: Stats | None = None, problem: str = ""
    ) -> tuple[Limiter, RedisCounters]:
        one, counters = limiter(url, timeout_s, stats or Stats())
        started.append(one)
        await one.start()
        await until(lambda: problem in (counters.problem or "") and bool(problem) == bool(counters.problem))
        return one, counters

    yield make
    for one in started:
        await one.aclose()


async def until(holds: Callable[[], bool], within_s: float = 60) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, "it did not become true in time"
        await asyncio.sleep(0.01)


async def test_two_gateways_share_a_limit_and_leave_nothing_behind_when_its_windows_are_full_again(
    start: Start, server: part.RedisServer
) -> None:
    (one, _), (two, _) = await start(server.url), await start(server.url)
    limit = policy("1/second", burst=3)
    begun, passed = time.monotonic(), 0
    while await taken((one, two)[passed % 2], limit, b"mallory@example") == "pass":
        passed += 1
    assert 3 <= passed <= 4 + time.monotonic() - begun
    keys = str(await redis(server.url, b"EVAL", b"return table.concat(redis.call('KEYS', '*'), ' ')", b"0"))
    assert keys.count("strangler:limit:run_") == 1
    assert "mallory" not in keys
    async with asyncio.timeout(60):
        while await taken(two, limit, b"mallory@example") == "over":
            await asyncio.sleep(0.05)
        while await redis(server.url, b"DBSIZE") != b"0":
            await asyncio.sleep(0.05)


async def test_while_redis_is_away_an_open_route_counts_here_a_closed_one_refuses_and_both_come_back(
    start: Start, server: part.RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    stats = Stats()
    gateway, counters = await start(server.url, stats=stats)
    opened, closed = policy("2/minute"), policy("2/minute", closed=True)
    assert [await taken(gateway, limit) for limit in (opened, closed)] == ["pass", "pass"]
    server.kill()
    await until(lambda: counters.problem is not None)
    assert [await taken(gateway, opened) for _ in range(3)] == ["pass", "pass", "over"]
    assert await taken(gateway, closed) == "closed"
    assert (stats.route("route").limit_unavailable, gateway.status.problem) == (4, counters.problem)
    for _ in range(3):
        await asyncio.sleep(RETRY_S)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1, "an outage is told once in ten seconds"
    assert f"127.0.0.1:{server.port}" in warnings[0].getMessage()
    server.start()
    await until(lambda: counters.problem is None)
    assert [await taken(gateway, limit) for limit in (opened, closed)] == ["pass", "pass"]
    assert stats.route("route").limit_unavailable == 4


async def test_a_gateway_starts_without_redis_and_finds_it_later(start: Start, tmp_path: Path) -> None:
    with part.own(tmp_path) as server:
        server.stop()
        gateway, counters = await start(server.url, problem="Connect call failed")
        assert await taken(gateway, policy("2/minute")) == "pass"
        server.start()
        await until(lambda: counters.problem is None)


async def test_a_redis_that_hangs_costs_its_time_out_a_few_times_and_then_nothing(start: Start) -> None:
    with TcpProxy(part.PORT) as proxy:
        gateway, counters = await start(proxy.through(REDIS_URL), 0.05)
        limit = policy("1000/minute")
        proxy.down.held = True
        lasted = []
        for _ in range(4):
            begun = time.monotonic()
            together = await asyncio.gather(*(taken(gateway, limit) for _ in range(20)))
            assert together == ["pass"] * 20
            lasted.append(time.monotonic() - begun)
        assert min(lasted) < 1.0, "they wait together: one after the other would take 1 s"
        await until(lambda: counters.problem is not None)
        assert counters.problem == "it does not answer in time"
        assert gateway.take("route", limit, b"a") is not None
        assert not isinstance(gateway.take("route", limit, b"a"), Awaitable), "nobody waits any more"
        proxy.heal()
        await until(lambda: counters.problem is None)
        assert await taken(gateway, limit) == "pass"


async def test_a_late_answer_is_not_taken_for_the_next_one_and_ends_no_connection(start: Start) -> None:
    stats = Stats()
    alone = stats.route("route")
    with TcpProxy(part.PORT) as proxy:
        gateway, counters = await start(proxy.through(REDIS_URL), 0.4, stats)
        first, second = policy("1/hour"), policy("5/hour")
        for once_more in [first, *(policy("1/hour") for _ in range(3))]:
            proxy.down.held = True
            assert await taken(gateway, once_more) == "pass", "counted here"
            proxy.down.held = False
            before = -1
            while before != alone.limit_unavailable:
                before = alone.limit_unavailable
                assert await taken(gateway, policy("1/hour")) == "pass"
        assert [await taken(gateway, second) for _ in range(6)] == ["pass"] * 5 + ["over"]
        assert counters.problem is None
        assert await taken(gateway, first) == "over", "the late one was counted in Redis all the same"


async def test_a_connection_that_is_cut_fails_nobody(start: Start) -> None:
    with TcpProxy(part.PORT) as proxy:
        gateway, counters = await start(proxy.through(REDIS_URL))
        limit = policy("1000/minute")
        waiting = [asyncio.ensure_future(taken(gateway, limit)) for _ in range(50)]
        await asyncio.sleep(0)
        proxy.cut()
        assert set(await asyncio.gather(*waiting)) == {"pass"}
        await until(lambda: counters.problem is not None)
        await until(lambda: counters.problem is None)


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        ((b"CONFIG", b"SET", b"maxmemory", b"1"), "OOM"),
        ((b"REPLICAOF", b"127.0.0.1", b"1"), "READONLY"),
        ((b"ACL", b"SETUSER", b"default", b"-evalsha"), "NOPERM"),
    ],
    ids=["full", "a replica", "forbidden"],
)
async def test_a_redis_that_cannot_count_is_away_and_says_why(
    start: Start, server: part.RedisServer, command: tuple[bytes, ...], seen: str
) -> None:
    gateway, counters = await start(server.url)
    limit = policy("5/minute")
    assert await taken(gateway, limit) == "pass"
    assert await redis(server.url, *command) == b"OK"
    assert await taken(gateway, limit) == "pass"
    await until(lambda: seen in str(counters.problem))
    await asyncio.sleep(RETRY_S)
    assert seen in str(counters.problem), "a new connection does not hide it"


async def test_a_script_that_redis_has_forgotten_is_loaded_again(start: Start, server: part.RedisServer) -> None:
    gateway, counters = await start(server.url)
    assert await redis(server.url, b"SCRIPT", b"FLUSH") == b"OK"
    assert await taken(gateway, policy("5/minute")) == "pass"
    await until(lambda: counters.problem is not None)
    await until(lambda: counters.problem is None)


async def test_a_key_that_another_program_has_written_harms_nobody(start: Start, server: part.RedisServer) -> None:
    gateway, counters = await start(server.url)
    limit = policy("2/minute")
    assert await taken(gateway, limit) == "pass"
    listed = await redis(server.url, b"EVAL", b"return redis.call('KEYS', 'strangler:limit:run_*')[1]", b"0")
    key = str(listed, "ascii") if isinstance(listed, bytes) else ""
    assert await redis(server.url, b"SET", key.encode(), b"999999999999 99999999999999999 junk") == b"OK"
    assert [await taken(gateway, limit) for _ in range(3)] == ["pass", "pass", "over"]
    assert await redis(server.url, b"DEL", key.encode()) == b"1"
    assert await redis(server.url, b"LPUSH", key.encode(), b"x") == b"1"
    assert [await taken(gateway, limit) for _ in range(3)] == ["pass", "pass", "over"]
    assert counters.problem is None


PASSWORD = "s3cret/@word"


async def test_password_user_and_database_are_used_and_never_told(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with part.own(tmp_path, "--requirepass", PASSWORD) as server:
        place, quoted = f"127.0.0.1:{server.port}", "s3cret%2F%40word"
        for user in ("", "default"):
            gateway, counters = await start(f"redis://{user}:{quoted}@{place}/3")
            assert await taken(gateway, policy("1/minute")) == "pass"
            assert counters.problem is None
        _, wrong = await start(f"redis://:wr0ng-{quoted}@{place}/0", problem="it refuses user or password (WRONGPASS)")
        await start(f"redis://{place}/0", problem="NOAUTH")
    told = caplog.text + repr(wrong) + repr(wrong.address) + str(wrong.address)
    assert not [secret for secret in ("s3cret", "wr0ng") if secret in told]


async def test_redis_is_reached_over_tls_and_through_a_unix_socket(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, port, path = Authority(tmp_path, "redis"), free_port(), tmp_path / "socket"
    pair = authority.issue("localhost")
    tls = ["--tls-port", str(port), "--tls-cert-file", str(pair.cert), "--tls-key-file", str(pair.key)]
    tls += ["--tls-ca-cert-file", str(authority.file), "--tls-auth-clients", "no"]
    with part.own(tmp_path, *tls, "--unixsocket", str(path)):
        await start(f"rediss://localhost:{port}/0", problem="CERTIFICATE_VERIFY_FAILED")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        limit = policy("1/minute")
        for url, wanted in ((f"rediss://localhost:{port}/0", "pass"), (f"unix://{path}?db=0", "over")):
            gateway, _ = await start(url)
            assert await taken(gateway, limit) == wanted


async def test_a_server_that_speaks_another_language_is_refused_at_once(start: Start) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        gateway, _ = await start(url, problem="its answer cannot be read")
        assert await taken(gateway, policy("1/minute")) == "pass"
        await gateway.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://u:s3cret@h/0",
        "redis://",
        "redis://u:s3cret@:6379",
        "redis://u:s3cret@h:99999",
        "redis://u:s3cret@h/x",
        "redis://u:s3cret@h/-1",
        "redis://u:s3cret@h/0?ssl=1",
        "redis://u:s3cret@[::1/0",
        "unix://u:s3cret@h/path",
        "unix:///path?db=x&password=s3cret",
        "unix:///path?password=s3cret",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="URL of Redis") as refused:
        parse_redis_url(url)
    assert "s3cret" not in str(refused.value)


def test_the_urls_that_can_be_used() -> None:
    tls, plain, unix = map(parse_redis_url, ("rediss://h", "redis://[::1]:7000/5", "unix:///run/r.sock?db=2"))
    assert (tls.host, tls.port, tls.database, tls.tls) == ("h", 6379, 0, True)
    assert (plain.host, plain.port, plain.database, plain.tls) == ("::1", 7000, 5, False)
    assert (unix.unix, unix.database) == ("/run/r.sock", 2)
