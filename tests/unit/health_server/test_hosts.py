"""By which names the health server answers: a page from elsewhere cannot have its own name point here."""

import httpx
import pytest
from starlette.responses import PlainTextResponse

from cli.health_server.hosts import OnlyOurHosts


async def status(host: str) -> int:
    application = OnlyOurHosts(PlainTextResponse("ours"), ["Health.example.org", "::1"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://x") as client:
        return (await client.get("/", headers={"Host": host})).status_code


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:3001", "LOCALHOST", "localhost.", "127.0.0.1:3001", "10.8.0.7:3001", "[::1]:3001"),
        *("[2001:db8::7]", "health.example.org", "HEALTH.example.org:3001"),
    ],
)
async def test_addresses_localhost_and_names_that_are_set_are_ours(host: str) -> None:
    assert await status(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("rebound.example", "127.0.0.1.rebound.example", "localhost.rebound.example:3001", "127.0.0.1:3001.evil"),
        *("user@rebound.example", "[::1", "", "2130706433"),
    ],
)
async def test_any_other_name_is_misdirected(host: str) -> None:
    assert await status(host) == 421
