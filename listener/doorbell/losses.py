"""What ends a seat or a socket, and how long to stay away then."""

import json

from websockets.exceptions import ConnectionClosed, InvalidStatus

from shared.exception_text import describe

RATE_LIMIT_SECONDS = 30.0

CONFIGURATION_SECONDS = 5.0
"""Where only a person can mend it: soon enough for health to see within 15 s that somebody has (decision 86)."""

_CONFIGURATION_MARKS = ('"extension": "system"', "JWT", "JwtSignatureError", "Unable to subscribe to changes")
_FULL = "ChannelRateLimitReached"


class SocketLost(Exception):
    """The socket is over, and every seat on it.

    `wait_at_least_seconds` is the server's due; `is_configuration` says that only a person can mend it;
    `http_status` is what a refused handshake was answered with.
    """

    def __init__(
        self,
        reason: str,
        *,
        wait_at_least_seconds: float = 0.0,
        is_configuration: bool = False,
        http_status: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason[:300]
        self.wait_at_least_seconds = wait_at_least_seconds
        self.is_configuration = is_configuration
        self.http_status = http_status


class SeatLost(SocketLost):
    """The server ended a seat, or did not give it. A join that was refused for a rate must not be repeated soon."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            reason,
            wait_at_least_seconds=RATE_LIMIT_SECONDS if "RateLimitReached" in reason else 0.0,
            is_configuration=any(mark in reason for mark in _CONFIGURATION_MARKS),
        )

    @property
    def is_full(self) -> bool:
        """A socket has no room for so many seats."""
        return _FULL in self.reason


class SeatRefused(SeatLost):
    """The server did not let the seat be taken."""


class SeatNotConfirmed(SeatLost):
    """The server did not say in time that rings come; perhaps it said nothing at all."""


def refused_handshake(error: InvalidStatus) -> SocketLost:
    """The handshake got an HTTP error for an answer: 401, 403 and 404 are ours to mend, 429 asks for patience."""
    status = error.response.status_code
    reason = f"handshake refused: HTTP {status} {_error_text(error.response.body)}".rstrip()
    is_configuration = status in (401, 403, 404)
    at_least = RATE_LIMIT_SECONDS if status == 429 else CONFIGURATION_SECONDS if is_configuration else 0.0
    return SocketLost(
        reason,
        wait_at_least_seconds=at_least,
        is_configuration=is_configuration,
        http_status=status,
    )


def _error_text(body: bytes | bytearray | None) -> str:
    """Realtime's own words, if it is Realtime that answered."""
    try:
        answer = json.loads(body or b"")
    except ValueError:
        return ""
    return str(answer.get("error", "")) if isinstance(answer, dict) else ""


def broken_socket(error: Exception) -> SocketLost:
    """A socket's exception by its type and the code it was closed with. Its words are the peer's, or quote
    what could not be read.
    """
    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
        return SocketLost(f"{type(error).__name__} ({error.rcvd.code})")
    return SocketLost(describe(error))
