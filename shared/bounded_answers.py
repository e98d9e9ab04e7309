"""Answers of others, read up to a limit: their size unpacked, and the time until their last byte.

httpx unpacks whatever comes, at once and whole: an answer of a few hundred kilobytes can become gigabytes. Here packed
answers are unpacked piece by piece and counted; what is too large is given up where it is noticed, and nothing of it
is kept (docs/decisions/0038-bounds-of-the-doors.md).
"""

import asyncio
import zlib
from collections.abc import AsyncIterator

import httpx

from shared.json_weight import JsonWeight

ACCEPT_ENCODING = "gzip"
"""The one packing that is asked for, and taken."""

LONGEST_ANSWER_SECONDS = 60.0
"""From its first byte to its last. httpx's own time-outs begin anew with each byte."""

_PIECE_BYTES = 64 * 1024
_ANY_GZIP = zlib.MAX_WBITS | 16


class AnswerRefused(httpx.RequestError):
    """The answer is larger, slower or packed otherwise than ours may be."""


class AnswerTooLarge(AnswerRefused):
    """It is larger than ours may be: an answer to less may do."""


def bound_answers(client: httpx.AsyncClient, limit_bytes: int, *, weight_bytes: int | None = None) -> None:
    """Have this client read at most so much of any answer. What it sends raises AnswerRefused where that is not enough.

    With `weight_bytes` an answer is JSON, and may weigh so much in memory once it is read.

    By a hook, which is called before anything of the body is read; a transport of our own would leave out the proxies
    that the environment names.
    """

    async def bound(response: httpx.Response) -> None:
        response.stream = _bounded(response, limit_bytes, weight_bytes)
        response.headers.pop("Content-Encoding", None)  # or httpx would unpack what is unpacked

    client.headers["Accept-Encoding"] = ACCEPT_ENCODING
    client.event_hooks = {"response": [bound]}


def _bounded(response: httpx.Response, limit_bytes: int, weight_bytes: int | None) -> "_BoundedStream":
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", ACCEPT_ENCODING):
        raise AnswerRefused("the answer is packed as nobody asked for", request=response.request)
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > limit_bytes:
        raise _too_large(limit_bytes, response.request)
    assert isinstance(response.stream, httpx.AsyncByteStream)
    weight = None if weight_bytes is None else JsonWeight(weight_bytes)
    packed = encoding == ACCEPT_ENCODING
    return _BoundedStream(response.stream, response.request, limit_bytes, weight, packed=packed)


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(
        self,
        stream: httpx.AsyncByteStream,
        request: httpx.Request,
        limit_bytes: int,
        weight: JsonWeight | None,
        *,
        packed: bool,
    ) -> None:
        self._stream = stream
        self._request = request
        self._limit_bytes = limit_bytes
        self._weight = weight
        self._packed = packed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size_bytes = 0
        async for piece in self._unpacked() if self._packed else self._arriving():
            size_bytes += len(piece)
            if size_bytes > self._limit_bytes:
                raise _too_large(self._limit_bytes, self._request)
            if self._weight is not None and self._weight.is_too_much(piece):
                raise AnswerTooLarge("the answer would weigh too much in memory", request=self._request)
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def _arriving(self) -> AsyncIterator[bytes]:
        clock = asyncio.get_running_loop().time
        deadline = clock() + LONGEST_ANSWER_SECONDS
        async for piece in self._stream:
            if clock() > deadline:
                raise AnswerRefused(f"the answer takes longer than {LONGEST_ANSWER_SECONDS:g} s", request=self._request)
            yield piece

    async def _unpacked(self) -> AsyncIterator[bytes]:
        """In pieces of a bounded size, whatever becomes of one that arrives."""
        unpacking = zlib.decompressobj(_ANY_GZIP)
        has_begun = False
        try:
            async for arrived in self._arriving():
                has_begun, waiting = True, arrived
                while waiting and not unpacking.eof:
                    yield unpacking.decompress(waiting, _PIECE_BYTES)
                    waiting = unpacking.unconsumed_tail
            if has_begun and not unpacking.eof:
                raise AnswerRefused("the packed answer ends too early", request=self._request)
        except zlib.error:
            raise AnswerRefused("the answer cannot be unpacked", request=self._request) from None


def _too_large(limit_bytes: int, request: httpx.Request) -> AnswerTooLarge:
    return AnswerTooLarge(f"the answer is larger than {limit_bytes} bytes", request=request)
