"""What the database holds of a person: found, taken out, and found again. Each method is safe to repeat."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from postgrest import AsyncPostgrestClient

from shared.supabase.sql_function import call_function

ROWS_AT_ONCE = 2000
"""Of the table, whosever they are: a portion takes some ten milliseconds, and a transaction of its own."""


@dataclass(slots=True)
class RowsFound:
    """Of notifications, one pass. Ids; `facts` and `requests` are counts.

    `in_flight` are being sent by a worker now, `busy` are locked by somebody: both are to be looked at again. `sent_as`
    are transaction ids of the last quarter of an hour, which Novu may not have taken off its queue yet.
    """

    recipients: list[int] = field(default_factory=list)
    content: list[int] = field(default_factory=list)
    facts: int = 0
    requests: int = 0
    retracted: list[int] = field(default_factory=list)
    in_flight: list[int] = field(default_factory=list)
    busy: list[int] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    sent_as: set[str] = field(default_factory=set)

    def add(self, answer: dict[str, Any]) -> None:
        for found in answer["found"]:
            if found["recipient"]:
                self.recipients.append(found["id"])
            if found["content"]:
                self.content.append(found["id"])
            self.facts += found["facts"]
            self.requests += found["requests"]
            if found["to_retract"]:
                self.retracted.append(found["id"])
            if found["in_flight"]:
                self.in_flight.append(found["id"])
            if found["sent_as"]:
                self.sent_as.add(found["sent_as"])
        self.busy += answer["busy"]
        self.refused |= answer["refused"]


@dataclass(frozen=True, slots=True)
class RulesFound:
    """`deactivated` have nobody left; `refused` tells a SQLSTATE by id."""

    found: list[int]
    deactivated: list[int]
    refused: dict[str, str]


@dataclass(frozen=True, slots=True)
class AddressesFound:
    """`others`: enterprises for which the same subscriber id is known, and so the same subscriber at Novu."""

    addresses: int
    credentials: int
    is_view: bool
    others: list[str]


class PersonHere:
    """One person of one enterprise. `terms` are what else names them: addresses, numbers."""

    def __init__(
        self, client: AsyncPostgrestClient, enterprise_id: str, subscriber_id: str, terms: Sequence[str]
    ) -> None:
        self._client = client
        self._who = {"p_enterprise_id": enterprise_id, "p_subscriber_id": subscriber_id}
        self._terms = list(terms)

    async def rows(self, *, dry_run: bool) -> RowsFound:
        """Every notification of the enterprise, in portions. Raises StoreUnavailable."""
        found = RowsFound()
        after = 0
        while True:
            answer = await call_function(
                self._client,
                "erase_from_notifications",
                **self._who,
                p_terms=self._terms,
                p_after_id=after,
                p_limit=ROWS_AT_ONCE,
                p_dry_run=dry_run,
            )
            found.add(answer)
            if not answer["has_more"]:
                return found
            after = answer["through"]

    async def rules(self, *, dry_run: bool) -> RulesFound:
        """Raises StoreUnavailable."""
        return RulesFound(
            **await call_function(self._client, "erase_from_rules", **self._who, p_terms=self._terms, p_dry_run=dry_run)
        )

    async def addresses(self, *, dry_run: bool) -> AddressesFound:
        """Raises StoreUnavailable."""
        return AddressesFound(**await call_function(self._client, "erase_recipient", **self._who, p_dry_run=dry_run))
