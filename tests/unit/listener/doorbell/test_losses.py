"""How long to stay away, and whom to call."""

import errno
import time

import jwt
import pytest
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidMessage, InvalidStatus
from websockets.frames import Close
from websockets.http11 import Response

from listener.doorbell.access_key import expires_at
from listener.doorbell.losses import SeatLost, broken_socket, refused_handshake
from shared.backoff import Backoff

PERSONAL = "Ada Lovelace"


def an_answer(status: int, body: bytes = b"") -> InvalidStatus:
    return InvalidStatus(Response(status, "", Headers(), body))


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_or_tenant_is_a_matter_of_configuration(status: int) -> None:
    loss = refused_handshake(an_answer(status, b'{"error":"Token has expired"}'))

    assert loss.is_configuration
    assert loss.wait_at_least_seconds == 5, "whoever mends it sees within 15 s that it is mended"
    assert loss.reason == f"handshake refused: HTTP {status} Token has expired"


def test_too_many_sockets_ask_for_patience() -> None:
    loss = refused_handshake(an_answer(429, b'{"error":"Too many connected users"}'))

    assert not loss.is_configuration
    assert loss.wait_at_least_seconds == 30


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff"])
def test_an_answer_that_is_not_realtimes_own_is_a_passing_fault(body: bytes) -> None:
    loss = refused_handshake(an_answer(503, body))

    assert not loss.is_configuration
    assert loss.wait_at_least_seconds == 0
    assert loss.reason == "handshake refused: HTTP 503"


def test_a_join_refused_for_its_rate_is_not_repeated_soon() -> None:
    assert SeatLost('{"reason": "ClientJoinRateLimitReached: Too many joins per second"}').wait_at_least_seconds == 30
    assert SeatLost("phx_error").wait_at_least_seconds == 0


def test_the_backoff_grows_to_its_cap_and_stays_there() -> None:
    backoff = Backoff(1.0, cap_seconds=30.0)

    waits = [backoff.next_seconds() for _ in range(2000)]

    assert all(wait <= min(30.0, 2.0 ** min(attempt, 10)) for attempt, wait in enumerate(waits))
    assert max(waits) > 20
    assert backoff.failures == 2000


def test_only_a_steady_while_forgives_failures() -> None:
    now = 0.0
    backoff = Backoff(1.0, cap_seconds=30.0, clock=lambda: now)
    for _ in range(5):
        backoff.next_seconds()

    backoff.works()
    now += 29.0
    backoff.next_seconds()
    assert backoff.failures == 6

    backoff.works()
    now += 30.0
    backoff.next_seconds()
    assert backoff.failures == 1


def test_proof_forgives_failures_at_once() -> None:
    backoff = Backoff(1.0, cap_seconds=30.0)
    for _ in range(5):
        backoff.next_seconds()

    backoff.proven()

    assert backoff.next_seconds() <= 1.0
    assert backoff.failures == 1


def test_a_slow_failure_is_a_failure_all_the_same() -> None:
    now = 0.0
    backoff = Backoff(1.0, cap_seconds=30.0, clock=lambda: now)

    for _ in range(3):
        now += 100.0
        backoff.next_seconds()

    assert backoff.failures == 3


def test_patience_asked_for_is_kept() -> None:
    assert Backoff(1.0).next_seconds(at_least=30.0) >= 30.0


def test_the_expiry_of_a_key_is_read_from_it() -> None:
    expiry = int(time.time()) + 100

    assert expires_at(jwt.encode({"role": "service_role", "exp": expiry}, "a secret that is long enough!!!!")) == expiry


@pytest.mark.parametrize("key", ["sb_secret_abc", "a.b.c", "", "a.e30.c", "a.W10.c"])
def test_a_key_that_does_not_say_never_expires_as_far_as_we_know(key: str) -> None:
    assert expires_at(key) is None


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConnectionClosedError(Close(1011, PERSONAL), None), "ConnectionClosedError (1011)"),
        (ConnectionClosedError(None, None), "ConnectionClosedError"),
        (InvalidMessage(PERSONAL), "InvalidMessage"),
        (ConnectionResetError(errno.ECONNRESET, PERSONAL), "ConnectionResetError (ECONNRESET)"),
    ],
)
def test_a_broken_socket_is_told_by_type_and_code(error: Exception, told: str) -> None:
    assert broken_socket(error).reason == told
