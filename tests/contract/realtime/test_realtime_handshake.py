"""The handshake: who is let in, and how the others are refused."""

from __future__ import annotations

import time
from dataclasses import replace

import jwt
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from stack.postgres import Postgres
from tests.contract.realtime.conftest import QUICK
from tests.contract.realtime.edge_server import SECRET, Edge, serve_edge
from tests.contract.realtime.phoenix_client import PhoenixClient, connected, token


async def _refusal(url: str, headers: dict[str, str] | None = None) -> Response:
    with pytest.raises(InvalidStatus) as refused:
        await connect(url, additional_headers=headers)
    return refused.value.response


@pytest.mark.parametrize(
    ("api_key", "error"),
    [
        (None, "API key is missing"),
        ("", "The token provided is not a valid JWT"),
        (token(secret="another-secret-that-is-just-as-long-as-ours"), "Failed to validate JWT signature"),
        ("garbage", "The token provided is not a valid JWT"),
        ("sb_secret_abc", "The token provided is not a valid JWT"),
        (token(lives_seconds=-5), "Token has expired"),
        (jwt.encode({"role": "anon"}, SECRET), "Fields `role` and `exp` are required in JWT"),
        (jwt.encode({"exp": int(time.time()) + 60}, SECRET), "Fields `role` and `exp` are required in JWT"),
    ],
    ids=["none", "empty", "signature", "garbage", "secret key", "expired", "no exp", "no role"],
)
async def test_a_bad_key_is_refused_with_401_and_its_reason_after_the_delay(
    edge: Edge, api_key: str | None, error: str
) -> None:
    started = time.monotonic()

    response = await _refusal(edge.websocket() if api_key is None else edge.websocket(apikey=api_key))

    assert response.status_code == 401
    assert response.body == f'{{"error":"{error}"}}'.encode()
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert time.monotonic() - started >= QUICK.connect_error_delay_seconds


async def test_a_key_that_was_deleted_ends_its_sockets_and_is_refused_as_of_a_wrong_signature_and_another_is_not(
    edge: Edge,
) -> None:
    deleted, other = token(), token(lives_seconds=600)
    async with connected(edge, deleted) as client:
        await client.heartbeat()

        await edge.fault("revoke_key", key=deleted)

        assert await client.closed() == 1012
    try:
        response = await _refusal(edge.websocket(apikey=deleted))
        assert (response.status_code, response.body) == (401, b'{"error":"Failed to validate JWT signature"}')
        async with connected(edge, other) as client:
            await client.heartbeat()
    finally:
        await edge.end_faults()


async def test_an_expiry_that_is_no_number_is_an_error_of_the_server(edge: Edge) -> None:
    response = await _refusal(edge.websocket(apikey=jwt.encode({"role": "anon", "exp": "tomorrow"}, SECRET)))

    assert response.status_code == 500
    assert response.body == b'{"error":"Error connecting to Realtime"}'


async def test_a_role_that_is_no_text_is_let_in(edge: Edge) -> None:
    key = jwt.encode({"role": 7, "exp": int(time.time()) + 60}, SECRET)

    async with connected(edge, key) as client:
        await client.heartbeat()


async def test_an_unknown_version_is_refused_with_403_and_no_body_at_once(postgres: Postgres) -> None:
    async with serve_edge(postgres.url, replace(QUICK, connect_error_delay_seconds=60)) as edge:
        response = await _refusal(edge.websocket(apikey=token(), vsn="9.9.9"))

    assert (response.status_code, response.body or b"") == (403, b"")


async def test_the_key_may_come_in_a_header_which_wins(edge: Edge) -> None:
    async with connect(edge.websocket(apikey="garbage"), additional_headers={"x-api-key": token()}) as connection:
        await PhoenixClient(connection).heartbeat()

    response = await _refusal(edge.websocket(apikey=token()), {"x-api-key": "garbage"})
    assert response.status_code == 401


@pytest.mark.parametrize("path", ["/realtime/v1/websocket", "/socket/websocket"])
async def test_both_paths_lead_to_the_server(edge: Edge, path: str) -> None:
    async with connect(edge.websocket(path, apikey=token())) as connection:
        await PhoenixClient(connection).heartbeat()


async def test_another_path_is_not_found(edge: Edge) -> None:
    response = await _refusal(edge.websocket("/nope/websocket", apikey=token()))

    assert response.status_code in (403, 404)


async def test_too_many_sockets_are_refused_with_429(postgres: Postgres) -> None:
    async with serve_edge(postgres.url, replace(QUICK, max_sockets=1)) as edge, connected(edge) as first:
        await first.heartbeat()

        response = await _refusal(edge.websocket(apikey=token()))

    assert (response.status_code, response.body) == (429, b'{"error":"Too many connected users"}')
