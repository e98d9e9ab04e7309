"""What a stranger on a port of ours can take: heads, lines, connections and time are bounded."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from shared import open_files
from shared.bounded_http import MOST_HEAD_BYTES, MOST_HEAD_LINES, BoundedProtocol
from shared.http_server import ANSWERED_AT_ONCE, listen, new_server

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
MEGABYTE = b"x" * 2**20


async def body(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())}\n")


async def flood(_: Request) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield MEGABYTE

    return StreamingResponse(pieces())


async def alive(_: Request) -> PlainTextResponse:
    return PlainTextResponse("alive\n")


APPLICATION = Starlette(routes=[Route("/", alive), Route("/body", body, methods=["POST"]), Route("/flood", flood)])


@asynccontextmanager
async def served(application: Starlette = APPLICATION) -> AsyncIterator[int]:
    """The port at which this is answered."""
    server = new_server(application)
    with listen("127.0.0.1", 0) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def connected(port: int, said: bytes = b"") -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that has said this."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(said)
        yield reader, writer
    finally:
        writer.close()


async def answer(port: int, said: bytes = GET) -> bytes:
    """All that comes back until the server has no more to say."""
    async with connected(port, said) as (reader, _), asyncio.timeout(5):
        return await reader.readuntil(b"\r\n\r\n")


@pytest.mark.parametrize(
    "head",
    [
        GET[:-2] + b"a: b\r\n" * (MOST_HEAD_LINES * 20),
        GET[:-2] + b"a: " + b"b" * (MOST_HEAD_BYTES * 2),
        b"GET /" + b"a" * (MOST_HEAD_BYTES * 2),
        b"\r\n" * (MOST_HEAD_LINES * 20),
    ],
    ids=["lines", "a long line", "a long path", "empty lines"],
)
async def test_a_head_without_end_is_refused_after_its_bound(head: bytes) -> None:
    async with served() as port:
        assert (await answer(port, head)).startswith(b"HTTP/1.1 400")
        assert (await answer(port)).startswith(b"HTTP/1.1 200")


async def test_a_head_that_comes_whole_in_one_read_is_bounded_too() -> None:
    head = GET[:-2] + b"a: b\r\n" * 30_000 + b"\r\n"

    async with served() as port:
        assert (await answer(port, head)).startswith(b"HTTP/1.1 400")


async def test_a_body_larger_than_a_read_arrives_whole_however_it_is_cut() -> None:
    request = b"POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n" + MEGABYTE

    async with served() as port, connected(port) as (reader, writer), asyncio.timeout(5):
        for start in range(0, len(request), 50_001):
            writer.write(request[start : start + 50_001])
            await writer.drain()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await reader.readline() == b"1048576\n"


async def test_requests_that_are_sent_ahead_are_all_answered() -> None:
    async with served() as port, connected(port, GET * 50) as (reader, _), asyncio.timeout(5):
        for _ in range(50):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.readline() == b"alive\n"


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n"], ids=["nothing", "half a head"])
async def test_a_connection_that_does_not_ask_is_ended(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(BoundedProtocol, "head_seconds", 0.3)

    async with served() as port, connected(port, said) as (reader, _):
        assert await ended(reader, within=2)


async def test_bytes_that_come_one_by_one_buy_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedProtocol, "head_seconds", 0.5)

    async with served() as port, connected(port, GET[:-2]) as (reader, writer):
        began = asyncio.get_running_loop().time()
        ends = asyncio.create_task(ended(reader, within=5))
        while not ends.done():
            writer.write(b"a: b\r\n")
            await asyncio.sleep(0.1)

        seconds = asyncio.get_running_loop().time() - began

    assert await ends
    assert seconds == pytest.approx(0.5, abs=0.1), "as if nothing had come"


async def test_a_body_that_never_ends_is_not_waited_for_after_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedProtocol, "exchange_seconds", 0.5)
    begun = b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"

    async with served() as port, connected(port, begun) as (reader, writer):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        ends = asyncio.create_task(ended(reader, within=5))
        while not ends.done():
            writer.write(b"x")
            await asyncio.sleep(0.1)

    assert await ends


async def test_an_answer_that_nobody_reads_is_given_up_and_its_place_is_free_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BoundedProtocol, "exchange_seconds", 0.5)
    request = b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n"

    async with served() as port:
        deaf = [await asyncio.open_connection("127.0.0.1", port) for _ in range(ANSWERED_AT_ONCE)]
        for _, writer in deaf:
            writer.write(request)
        await asyncio.sleep(0.25)  # whoever waits for a place has no more time than who is being answered
        assert (await answer(port)).startswith(b"HTTP/1.1 200")
        for _, writer in deaf:
            writer.close()


async def test_among_too_many_connections_one_that_waits_makes_room_for_one_that_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BoundedProtocol, "most_connections", 8)

    async with served() as port:
        idle = []
        for _ in range(40):
            idle.append(await asyncio.open_connection("127.0.0.1", port))
            await asyncio.sleep(0.001)
        assert (await answer(port)).startswith(b"HTTP/1.1 200")
        open_still = [await is_open(reader) for reader, _ in idle]
        for _, writer in idle:
            writer.close()

    assert sum(open_still) <= 8
    assert not any(open_still[:30]), "the one that has waited longest goes first"


async def test_when_every_connection_is_being_answered_the_next_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedProtocol, "most_connections", 3)
    answering = asyncio.Event()

    async def slow(_: Request) -> PlainTextResponse:
        await answering.wait()
        return PlainTextResponse("at last\n")

    async with served(Starlette(routes=[Route("/", slow)])) as port:
        asked = [asyncio.create_task(answer(port)) for _ in range(3)]
        await asyncio.sleep(0.2)
        async with connected(port, GET) as (reader, _):
            assert await ended(reader, within=2)
        answering.set()
        assert all(it.startswith(b"HTTP/1.1 200") for it in await asyncio.gather(*asked))


async def test_callers_never_have_more_than_a_part_of_the_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_files, "limit", lambda: 20)

    async with served() as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
        assert (await answer(port)).startswith(b"HTTP/1.1 200")
        still = sum([await is_open(reader) for reader, _ in idle])
        for _, writer in idle:
            writer.close()

    assert still <= 5


async def test_an_upgrade_is_answered_as_an_ordinary_request() -> None:
    upgrade = GET[:-2] + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"

    async with served() as port:
        assert (await answer(port, upgrade)).startswith(b"HTTP/1.1 200")


async def ended(reader: asyncio.StreamReader, *, within: float) -> bool:
    """Whether the server ends the connection."""
    return await _in_time(reader.read, within)


async def is_open(reader: asyncio.StreamReader) -> bool:
    return not await _in_time(reader.read, 0.05)


async def _in_time(read: Callable[[], Awaitable[bytes]], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await read()
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True
