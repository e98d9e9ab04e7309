"""What a project knows of a subscriber. Personal data: no representation of these shows any of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, repr=False)
class ProviderCredentials:
    """Where one provider reaches a subscriber; `values` is Novu's `credentials`: device tokens, or a webhook's URL."""

    provider_id: str
    values: Mapping[str, Any]
    integration_identifier: str | None = None

    def __repr__(self) -> str:
        return "ProviderCredentials(...)"


@dataclass(frozen=True, slots=True, repr=False)
class Recipient:
    """A subscriber with an address.

    `members` are those of a subscriber in an event's `to`, by Novu's names; what is absent stays at Novu as it is.
    `credentials` are there if Novu is still to be given them; `credentials_hash` is then what they are noted by.
    """

    subscriber_id: str
    members: Mapping[str, Any]
    credentials: tuple[ProviderCredentials, ...] = ()
    credentials_hash: str | None = None

    def __repr__(self) -> str:
        return "Recipient(...)"


@dataclass(frozen=True, slots=True)
class KnownRecipients:
    """Recipients by subscriber id; of others nothing is known.

    `unread` counts values that could not be read and were left out, by column; `fault` is PostgreSQL's code where a
    view in the table's place failed, and nothing is known of anybody.
    """

    by_id: Mapping[str, Recipient] = field(default_factory=dict)
    unread: Mapping[str, int] = field(default_factory=dict)
    fault: str | None = None
