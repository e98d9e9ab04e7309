"""Answers of others: as large, as long and as packed as agreed, and no more of them is ever held."""

import asyncio
import gzip
import os
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from shared import bounded_answers
from shared.bounded_answers import AnswerRefused, bound_answers
from shared.novu.trigger import LONGEST_ANSWER_BYTES, open_trigger
from shared.ports import StoreAnswerTooLarge, TriggerEvent, TriggerUnknown
from shared.supabase import client as supabase_client
from shared.supabase.sql_function import call_function

LIMIT = 1_000_000
Body = Callable[[asyncio.StreamWriter], AsyncIterator[bytes]]


@asynccontextmanager
async def answering(head: str, *pieces: bytes, pause_seconds: float = 0.0, times: int = 1) -> AsyncIterator[str]:
    """The URL of a server that gives this answer, the pieces so many times over, and then closes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 200 OK\r\nConnection: close\r\n{head}\r\n".encode())
            for _ in range(times):
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(pause_seconds)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def get(url: str, limit_bytes: int = LIMIT) -> bytes:
    async with httpx.AsyncClient() as client:
        bound_answers(client, limit_bytes)
        return (await client.get(url)).content


async def test_what_is_within_the_limit_arrives_whole_packed_or_not() -> None:
    content = os.urandom(LIMIT // 2).hex().encode()
    packed = gzip.compress(content)

    async with answering("", content) as url:
        assert await get(url) == content
    async with answering(
        "Content-Encoding: gzip\r\n", *(packed[i : i + 999] for i in range(0, len(packed), 999))
    ) as url:
        assert await get(url) == content
    async with answering("Content-Encoding: gzip\r\nContent-Length: 0\r\n") as url:
        assert await get(url) == b""


async def test_one_byte_too_many_is_too_many() -> None:
    async with answering("", b"x" * LIMIT) as url:
        assert len(await get(url)) == LIMIT
    async with answering("", b"x" * (LIMIT + 1)) as url:
        with pytest.raises(AnswerRefused, match=f"larger than {LIMIT} bytes"):
            await get(url)


@pytest.mark.parametrize(
    ("head", "piece", "times", "reason"),
    [
        ("", b"x" * 2**20, 300, "larger than"),
        ("Content-Length: 314572800\r\n", b"x", 1, "larger than"),
        ("Transfer-Encoding: chunked\r\n", b"100000\r\n" + b"x" * 2**20 + b"\r\n", 300, "larger than"),
        ("Content-Encoding: gzip\r\n", gzip.compress(b"\0" * 157_000_000), 1, "larger than"),
        ("Content-Encoding: gzip\r\n", gzip.compress(b"x" * 1000)[:-12], 1, "ends too early"),
        ("Content-Encoding: gzip\r\n", b"x" * 1000, 1, "cannot be unpacked"),
        ("Content-Encoding: deflate\r\n", zlib.compress(b"\0" * 10_000_000), 1, "nobody asked for"),
        ("Content-Encoding: br\r\n", b"x", 1, "nobody asked for"),
        ("Content-Encoding: gzip, gzip\r\n", b"x", 1, "nobody asked for"),
    ],
    ids=["long", "promised", "chunks", "bomb", "torn", "no gzip", "deflate", "br", "twice"],
)
async def test_any_other_answer_is_refused_and_never_held(head: str, piece: bytes, times: int, reason: str) -> None:
    async with answering(head, piece, times=times) as url:
        tracemalloc.start()
        with pytest.raises(AnswerRefused, match=reason):
            await get(url)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak_bytes < 8 * LIMIT


async def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_answers, "LONGEST_ANSWER_SECONDS", 0.2)

    async with answering("", b"x", pause_seconds=0.05, times=100) as url:
        with pytest.raises(AnswerRefused, match="takes longer than"):
            await get(url)


async def test_novus_bomb_is_no_answer_and_not_the_rows_fault() -> None:
    bomb = gzip.compress(b" " * (LONGEST_ANSWER_BYTES + 1))
    event = TriggerEvent(novu_workflow_key="w", recipients=("ada",), payload={}, overrides={}, transaction_id="t")

    async with answering("Content-Encoding: gzip\r\n", bomb) as url, open_trigger(url, "key") as trigger:
        [result] = await trigger.trigger([event])

    assert result == TriggerUnknown("AnswerTooLarge")


async def test_a_database_that_answers_too_much_counts_as_unavailable() -> None:
    async with answering(f"Content-Length: {supabase_client.LONGEST_ANSWER_BYTES + 1}\r\n", b"[") as url:
        client, http = await supabase_client.connect(url, "key")
        async with http:
            with pytest.raises(StoreAnswerTooLarge, match="larger than"):
                await call_function(client, "due_notifications")


@pytest.mark.parametrize(
    "piece", [b"{}," * 20_000, b"[[[[[[[[[[]]]]]]]]]]," * 3_000, b'"' + "x😀".encode() * 12_000 + b'",'], ids=len
)
async def test_a_database_whose_answer_would_fill_the_memory_is_given_up_before_it_is_read(piece: bytes) -> None:
    times = (supabase_client.LONGEST_ANSWER_BYTES - 100) // len(piece)
    async with answering("", b"[", *[piece] * times, b"0]") as url:
        client, http = await supabase_client.connect(url, "key")
        async with http:
            with pytest.raises(StoreAnswerTooLarge, match="weigh"):
                await call_function(client, "due_notifications")
