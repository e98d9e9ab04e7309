"""A TCP door before a server: open, or shut in one of the ways in which servers are away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

CHUNK_BYTES = 64 * 1024


class Ajar(StrEnum):
    """How the door is. FROZEN: it takes connections and bytes, and passes nothing on. SLOW: what is passed on comes
    later by `Door.delay_seconds`. ANSWERING: whoever says something gets `Door.answer`, and the connection ends.
    """

    OPEN = "open"
    REFUSING = "refusing"
    FROZEN = "frozen"
    SLOW = "slow"
    ANSWERING = "answering"


class Door:
    """On a port of its own before another. What it holds back goes on once it is open again."""

    def __init__(self, port: int, behind: int) -> None:
        self.port = port
        self.delay_seconds = 0.0
        self.answer = b""
        self.only = b""
        """It is open to connections that begin otherwise."""
        self._behind = behind
        self._ajar = Ajar.OPEN
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def set(self, ajar: Ajar, *, delay_seconds: float = 0.0, answer: bytes = b"", only: bytes = b"") -> None:
        """Be so from now on; refusing and answering end the connections that there are, as a restarted server's end."""
        self.delay_seconds, self.answer, self.only, self._ajar = delay_seconds, answer, only, ajar
        self._changed.set()
        self._changed = asyncio.Event()
        if ajar in (Ajar.REFUSING, Ajar.ANSWERING):
            for connection in self._connections:
                connection.cancel()
        if ajar is Ajar.REFUSING:
            await self.close()
        elif self._server is None:
            await self.open()

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Listen no more, and end what there is."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in self._connections:
            connection.cancel()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None, "a server's callback runs in a task"
        self._connections.add(connection)
        ends = [writer]
        try:
            if self._ajar is Ajar.ANSWERING:
                await self._refuse_in_words(reader, writer)
                return
            behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", self._behind)
            ends.append(behind_writer)
            async with asyncio.TaskGroup() as passing:
                first = await reader.read(CHUNK_BYTES)
                passing.create_task(self._pass(reader, behind_writer, first, first))
                passing.create_task(self._pass(behind_reader, writer, first))
        except* (OSError, asyncio.CancelledError):
            pass  # one of the two is gone, or the door shuts
        finally:
            self._connections.discard(connection)
            for end in ends:
                end.transport.abort() if self._ajar is Ajar.REFUSING else end.close()

    async def _refuse_in_words(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What is still being said is read to its end: a connection with unread bytes is reset, and its answer lost."""
        await reader.read(CHUNK_BYTES)
        writer.write(self.answer)
        await writer.drain()
        writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                while await reader.read(CHUNK_BYTES):
                    pass

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, begins: bytes, chunk: bytes = b""
    ) -> None:
        while chunk := chunk or await reader.read(CHUNK_BYTES):
            if begins.startswith(self.only):
                await self._hold_back()
            writer.write(chunk)
            await writer.drain()
            chunk = b""
        if begins.startswith(self.only):
            await self._hold_back()
        writer.close()

    async def _hold_back(self) -> None:
        while self._ajar is Ajar.FROZEN:
            await self._changed.wait()
        if self._ajar is Ajar.SLOW:
            with suppress(TimeoutError):
                async with asyncio.timeout(self.delay_seconds):
                    await self._changed.wait()


@asynccontextmanager
async def door_before(port: int, own_port: int) -> AsyncIterator[Door]:
    """A door that is open, within the block."""
    door = Door(own_port, port)
    await door.open()
    try:
        yield door
    finally:
        await door.close()
