"""What strangers do to a port: heads without end, connections that are only held, calls without pause."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

HELD_HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Begun: yes\r\n"
_HEADERS = b"a: b\r\n" * 10_000


@asynccontextmanager
async def many(
    count: int, attack: Callable[[], Awaitable[None]], *, pause_seconds: float = 0.01
) -> AsyncIterator[None]:
    """So many who do this again and again, with this pause between, until the end of the block."""

    async def go_on() -> None:
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                await attack()
            await asyncio.sleep(pause_seconds)

    strangers = [asyncio.create_task(go_on()) for _ in range(count)]
    try:
        yield
    finally:
        for stranger in strangers:
            stranger.cancel()
        await asyncio.wait(strangers)


async def send_headers(port: int) -> None:
    """Up to six megabytes of short headers, as long as the server takes them."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(HELD_HEAD)
        for _ in range(100):
            writer.write(_HEADERS)
            await writer.drain()
    finally:
        writer.close()


async def send_a_whole_head(port: int, megabytes: int = 1) -> None:
    """A head of this size with its end, in one write."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(HELD_HEAD + b"a: b\r\n" * (megabytes * 170_000) + b"\r\n")
        await writer.drain()
    finally:
        writer.close()


async def ask_without_pause(port: int, path: str) -> None:
    """Fifty calls on one connection, each as soon as the one before is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for _ in range(50):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
    finally:
        writer.close()


async def hold(port: int, said: bytes) -> None:
    """A connection that says this and no more, for as long as the server keeps it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(said)
        await reader.read()
    finally:
        writer.close()
