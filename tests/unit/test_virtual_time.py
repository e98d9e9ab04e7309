"""Unit tests pass no real time, and none does so by mistake."""

import asyncio
import socket

import pytest
from hypothesis import HealthCheck, settings

from tests.unit.virtual_time import RealIO, VirtualLoop, run_virtually


async def test_an_hour_passes_at_once_in_the_order_of_its_ends() -> None:
    loop, ended = asyncio.get_running_loop(), []

    async def wait(seconds: float) -> None:
        await asyncio.sleep(seconds)
        ended.append((seconds, loop.time()))

    await asyncio.gather(*(wait(seconds) for seconds in (3600, 0.001, 60)))

    assert ended == [(0.001, 0.001), (60, 60), (3600, 3600)]


async def test_what_a_thread_does_takes_no_time_of_the_clock() -> None:
    loop = asyncio.get_running_loop()

    answer = await asyncio.to_thread(sum, [1, 2])

    assert (answer, loop.time()) == (3, 0)


def test_a_socket_ends_the_test_at_once() -> None:
    async def listen(somebody: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.add_reader, somebody, print)
        await asyncio.Event().wait()

    with socket.socket() as somebody, pytest.raises(RealIO, match=r"mark the test pytest\.mark\.real_time"):
        run_virtually(listen(somebody))


async def test_a_server_of_the_same_loop_is_near() -> None:
    loop = asyncio.get_running_loop()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read())
        await asyncio.sleep(60)
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x" * 2**20)
        writer.write_eof()
        async with asyncio.timeout(61):
            assert await reader.read() == b"x" * 2**20
        writer.close()

    assert loop.time() == 60
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


@pytest.mark.real_time
async def test_who_must_has_the_machines_clock() -> None:
    assert not isinstance(asyncio.get_running_loop(), VirtualLoop)


def test_a_loop_of_ones_own_begins_at_nought() -> None:
    async def now() -> float:
        await asyncio.sleep(5)
        return asyncio.get_running_loop().time()

    assert [run_virtually(now()), run_virtually(now())] == [5, 5]


def test_no_example_is_left_to_chance_or_to_the_machine() -> None:
    assert settings.default is not None
    assert settings.default.derandomize
    assert settings.default.deadline is None
    assert HealthCheck.too_slow in settings.default.suppress_health_check
