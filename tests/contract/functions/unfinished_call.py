"""A call whose body stops in the middle, known to be under way: what a process that ends has to finish."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class UnfinishedCall:
    """The rest of the body is yet to be sent."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    rest: bytes

    async def finish(self) -> tuple[int, dict[str, Any]]:
        """Send the rest; the status and the body of the answer."""
        self.writer.write(self.rest)
        answer = (await self.reader.read()).decode()
        head, _, body = answer.partition("\r\n\r\n")
        return int(head.split()[1]), json.loads(body)


@asynccontextmanager
async def begin_call(port: int, headers: Mapping[str, str], call: Mapping[str, Any]) -> AsyncIterator[UnfinishedCall]:
    """A call of the function on this loopback port, of which it has begun to read the body."""
    body = json.dumps(call).encode()
    head = {
        **headers,
        "Host": "127.0.0.1",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Expect": "100-continue",
    }
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        writer.write(f"POST / HTTP/1.1\r\n{lines}\r\n".encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(body[:10])
        yield UnfinishedCall(reader, writer, body[10:])
    finally:
        writer.close()
