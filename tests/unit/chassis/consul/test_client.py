"""Consul's client on a real agent: keys, transactions, sessions, services, and each way that a call fails."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from chassis.consul.client import Consul
from chassis.consul.settings import ConsulSettings
from chassis.consul.values import Check, ConsulAway, ConsulRefused, Operation, ServiceInstance
from parts.ports import free_port
from parts.servers import consul as part

pytestmark = pytest.mark.connected
DEADLINE_S = 60


@contextlib.contextmanager
def opened(
    url: str, threads: int = 10, timeout_s: float = DEADLINE_S, token_file: Path | None = None
) -> Iterator[Consul]:
    client = Consul(ConsulSettings(url, timeout_s=timeout_s, token_file=token_file), threads)
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
async def client() -> AsyncIterator[Consul]:
    with opened(part.URL) as client:
        yield client


@pytest.fixture
def key() -> str:
    return f"tests/{uuid4().hex}"


async def test_a_key_is_written_read_and_deleted_under_check_and_set(client: Consul, key: str) -> None:
    assert (await client.get(key)).value is None
    assert await client.cas(key, b"one\x00\xff", 0)
    assert not await client.cas(key, b"two", 0)
    found = (await client.get(key)).value
    assert found is not None
    assert found.value == b"one\x00\xff"
    assert await client.cas(key, b"", found.modify_index)
    assert not await client.cas(key, b"three", found.modify_index)
    assert not await client.delete(key, found.modify_index)
    now = (await client.get(key)).value
    assert now is not None
    assert now.value == b""
    assert await client.delete(key, now.modify_index)
    assert (await client.get(key)).value is None


async def test_a_tree_is_read_whole_and_a_wait_ends_with_the_change(client: Consul, key: str) -> None:
    for name in ("b", "a%2F ?ä"):
        await client.put(f"{key}/{name}", name.encode())
    found = await client.tree(f"{key}/")
    assert [one.key for one in found.value] == [f"{key}/a%2F ?ä", f"{key}/b"]
    waiting = asyncio.create_task(client.tree(f"{key}/", index=found.index, wait_s=600))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await client.delete(f"{key}/b")
    changed = await asyncio.wait_for(waiting, DEADLINE_S)
    assert [one.value for one in changed.value] == ["a%2F ?ä".encode()]
    assert await client.delete_tree(key)
    assert (await client.tree(key)).value == ()


async def test_a_transaction_is_done_whole_or_not_at_all(client: Consul, key: str) -> None:
    done = await client.transact([Operation("cas", f"{key}/a", b"1", index=0), Operation("set", f"{key}/b", b"2")])
    assert done.done
    again = await client.transact([Operation("set", f"{key}/b", b"3"), Operation("cas", f"{key}/a", b"4", index=0)])
    assert not again.done
    assert again.reasons
    read = await client.transact([Operation("get", f"{key}/a"), Operation("get", f"{key}/b")])
    assert [one.value for one in read.keys] == [b"1", b"2"]
    with pytest.raises(ValueError, match="at most 64"):
        await client.transact([Operation("set", key, b"")] * 65)
    assert (await client.transact([Operation("set", f"{key}/{n}", b"") for n in range(64)])).done


async def test_a_session_holds_a_lock_until_it_ends_and_fences_transactions(client: Consul, key: str) -> None:
    mine, other = await client.create_session("mine", 10), await client.create_session("other", 10)
    assert await client.put(key, b"", acquire=mine)
    assert not await client.put(key, b"", acquire=other)
    held = (await client.get(key)).value
    assert held is not None
    assert held.session == mine
    fenced = [Operation("check-session", key, session=mine), Operation("set", f"{key}/written", b"")]
    assert (await client.transact(fenced)).done
    assert await client.renew_session(mine)
    await client.destroy_session(mine)
    assert not await client.renew_session(mine)
    assert not (await client.transact(fenced)).done
    assert await client.put(key, b"", acquire=other)
    await client.destroy_session(other)
    await client.destroy_session(other)


async def test_an_instance_is_healthy_once_its_check_passes_and_gone_when_deregistered(client: Consul) -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    name = f"shop-{uuid4().hex}"
    up = ServiceInstance(f"{name}-up", name, "127.0.0.1", port, frozenset({"v1", "blue"}))
    down = ServiceInstance(f"{name}-down", name, "127.0.0.1", free_port(), frozenset({"v1"}))
    for one in (up, down):
        await client.register(one, Check(interval_s=0.1, timeout_s=1))
    async with asyncio.timeout(DEADLINE_S), server:
        found = await client.instances(name)
        while not any(one.passing for one in found.value):
            found = await client.instances(name, index=found.index, wait_s=DEADLINE_S)
        assert found.value == (down, up)
        assert [one.passing for one in found.value] == [False, True]
        assert (await client.instances(name, tag="blue")).value == (up,)
        assert (await client.instances(name, tag="green")).value == ()
        assert [one for one in await client.services() if one.service == name] == [down, up]
        for one in (up, down):
            await client.deregister(one.id)
            await client.deregister(one.id)
        assert (await client.instances(name)).value == ()


async def test_a_call_that_is_cancelled_frees_its_thread_at_once(key: str) -> None:
    with opened(part.URL, threads=1) as client:
        await client.put(key, b"")
        found = await client.get(key)
        waiting = asyncio.create_task(client.get(key, index=found.index, wait_s=600))
        await asyncio.sleep(0.1)
        waiting.cancel()
        assert (await asyncio.wait_for(client.get(key), DEADLINE_S)).value is not None


@pytest.mark.parametrize("variable", ["CONSUL_HTTP_ADDR", "HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_no_variable_of_the_environment_sends_it_elsewhere(
    monkeypatch: pytest.MonkeyPatch, client: Consul, key: str, variable: str
) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:1")
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "another")
    monkeypatch.setenv("CONSUL_HTTP_SSL", "true")
    assert (await client.get(key)).value is None


async def test_nobody_there_and_an_answer_of_something_else_count_as_away(key: str) -> None:
    with opened(f"consul://127.0.0.1:{free_port()}") as client, pytest.raises(ConsulAway, match="Connection refused"):
        await client.get(key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        with opened(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
            for call in (client.get(key), client.put(key, b""), client.instances("x"), client.services()):
                with pytest.raises(ConsulAway, match="not Consul"):
                    await call


async def test_a_suspended_agent_is_away_within_the_timeout_and_back_on_the_same_client(
    tmp_path: Path, key: str
) -> None:
    with part.own(tmp_path) as server, opened(server.url, timeout_s=0.5) as client:
        await client.put(key, b"kept")
        server.suspend()
        with pytest.raises(ConsulAway, match="no answer within"):
            await client.get(key)
        server.resume()
        assert (await client.get(key)).value is not None
        server.restart()
        assert (await client.get(key)).value is not None


async def test_the_token_is_read_again_when_its_file_changes(tmp_path: Path, key: str) -> None:
    acls = {"acl_datacenter": "dc1", "acl_master_token": "root-token", "acl_default_policy": "deny"}
    file = tmp_path / "token"
    file.write_text("wrong\n")
    with part.own(tmp_path, acls, token="root-token") as server, opened(server.url, token_file=file) as client:
        with pytest.raises(ConsulRefused) as refused:
            await client.put(key, b"")
        assert refused.value.status == 403
        assert "wrong" not in str(refused.value)
        file.write_text("root-token\n")
        assert await client.put(key, b"")
        file.unlink()
        assert await client.put(key, b"")


async def test_a_value_that_is_too_large_is_refused(client: Consul, key: str) -> None:
    with pytest.raises(ConsulRefused) as refused:
        await client.put(key, bytes(600 * 1024))
    assert refused.value.status == 413
