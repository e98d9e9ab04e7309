"""What may be said when a fault is ordered."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FaultOrder(BaseModel):
    """Every order is strict about its fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SocketsOrder(FaultOrder):
    """`sockets`: to that many of them; to all without it."""

    sockets: int | None = Field(default=None, ge=1)


class FreezeOrder(SocketsOrder):
    """Without `sockets` new handshakes hang as well."""

    seconds: float = Field(gt=0, le=3600)


class CloseOrder(SocketsOrder):
    """The code and reason of the close frame."""

    code: int = Field(default=1011, ge=1000, le=4999)
    reason: str = Field(default="", max_length=100)


class TopicOrder(FaultOrder):
    """`topic`: with or without `realtime:`; all topics without it."""

    topic: str | None = None


class RefuseJoinsOrder(FaultOrder):
    """For `joins` joins, for `seconds`, or until ended; after the usual delay unless `delay_seconds` is given."""

    reason: str = "InitializingProjectConnection: Connecting to the project database"
    joins: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    delay_seconds: float | None = Field(default=None, ge=0)


class RefuseHandshakesOrder(FaultOrder):
    """For `handshakes` handshakes, for `seconds`, or until ended."""

    status: int = Field(ge=400, le=599)
    body: str = '{"error":"refused by a fault"}'
    handshakes: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)


class DelayEventsOrder(FaultOrder):
    """Each event `delay_seconds` later, for `seconds` or until ended."""

    delay_seconds: float = Field(gt=0, le=600)
    seconds: float | None = Field(default=None, gt=0)


class RateLimitOrder(FaultOrder):
    """For how long."""

    seconds: float = Field(gt=0, le=3600)


class LoseEventsOrder(RateLimitOrder):
    """`table`: those of that table; all without it."""

    table: str | None = None


class MalformedEventOrder(TopicOrder):
    """Which field is null that the client's model wants."""

    field: Literal["columns", "commit_timestamp"] = "columns"


class LimitChannelsOrder(FaultOrder):
    """How many channels a socket may have, until ended; those it has stay."""

    channels: int = Field(ge=1, le=100)


class TenantOrder(FaultOrder):
    """What becomes of the tenant, until ended: its secret changes, it is suspended, or it is deleted."""

    becomes: Literal["changed", "suspended", "deleted"]


class RestOrder(FaultOrder):
    """`how`: with `status` refused; `delay_seconds` late; never answered; or done, and never answered. For `requests`
    requests, for `seconds`, or until ended; of all, or of the calls of `function`.
    """

    how: Literal["refuse", "slow", "hang", "execute_then_hang"]
    status: int = Field(default=503, ge=400, le=599)
    delay_seconds: float = Field(default=2, ge=0, le=600)
    requests: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    function: str | None = None


class RevokeKeyOrder(FaultOrder):
    """Which API key is deleted, until ended; another one takes its place."""

    key: str = Field(min_length=1, max_length=4096)


class PlainOrder(FaultOrder):
    """Nothing is to be said."""
