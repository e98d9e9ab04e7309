"""What is told of a broken socket: never the peer's words, which may be anything."""

import errno

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidMessage
from websockets.frames import Close

from listener.postgres_changes.losses import broken_socket

PERSONAL = "Ada Lovelace"


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
