"""What people got, channel by channel: as it was to be, as the Novu sink saw it, and as the rows' `delivery` tells."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg
import httpx

from cli.demo.kinds import Ledger

CHANNELS = ("email", "in_app", "sms", "push", "chat")

_SENT, _NO_ADDRESS = "sent", "warning"


@dataclass(frozen=True, slots=True)
class ChannelVerdict:
    """One channel's messages: how many were to be sent, and how many lacked an address."""

    channel: str
    people: int
    sent_expected: int
    sent: int
    no_address_expected: int
    no_address: int
    other_ends: int
    twice: int
    accounted: int

    @property
    def holds(self) -> bool:
        """Whether everybody got what was for them, once, and nobody anything else; and the rows say so."""
        return (
            (self.sent, self.no_address) == (self.sent_expected, self.no_address_expected)
            and self.accounted == self.sent
            and not self.other_ends
            and not self.twice
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many messages of one event came to which end, for one person in one channel."""

    subscriber: str
    channel: str
    ends: Mapping[str, int]


async def read_outcomes(http: httpx.AsyncClient, sink_url: str) -> list[Outcome]:
    """Of every event that the sink's worker has taken up."""
    response = await http.get(f"{sink_url}/_sink/truth")
    response.raise_for_status()
    known = ("event", "subscriber", "channel")
    return [
        Outcome(one["subscriber"], one["channel"], {end: count for end, count in one.items() if end not in known})
        for one in response.json()["people"]
    ]


async def read_accounts(connection: asyncpg.Connection) -> dict[str, int]:
    """How many messages of each channel were sent, by what the rows' `delivery` says."""
    rows = await connection.fetch(
        """
        select lower(channel.key) as channel, sum((channel.value ->> 'sent')::int) as sent
          from notify.ent_notification n cross join lateral jsonb_each(n.delivery -> 'channels') as channel
         group by 1
        """
    )
    return {row["channel"]: row["sent"] for row in rows}


async def count_open_accounts(connection: asyncpg.Connection) -> int:
    """Rows of which Novu has not told everything yet."""
    count: int = await connection.fetchval("select count(*) from notify.delivery_account where not complete")
    return count


def judge_people(ledger: Ledger, outcomes: Sequence[Outcome], accounted: Mapping[str, int]) -> list[ChannelVerdict]:
    """A verdict for each channel. Steps that Novu skipped, for channels that a row does not have, are no messages."""
    sent: Counter[str] = Counter()
    no_address: Counter[str] = Counter()
    for row in ledger.rows:
        sent.update(row.kind.sent)
        no_address.update(row.kind.no_address)
    return [
        _judge_channel(channel, sent[channel], no_address[channel], outcomes, accounted.get(channel, 0))
        for channel in CHANNELS
    ]


def _judge_channel(
    channel: str, sent: int, no_address: int, outcomes: Sequence[Outcome], accounted: int
) -> ChannelVerdict:
    here = [outcome for outcome in outcomes if outcome.channel == channel]
    ends: Counter[str] = Counter()
    for outcome in here:
        ends.update(outcome.ends)
    ends.pop("skipped", None)
    return ChannelVerdict(
        channel=channel,
        people=len({outcome.subscriber for outcome in here if outcome.ends.get(_SENT)}),
        sent_expected=sent,
        sent=ends.pop(_SENT, 0),
        no_address_expected=no_address,
        no_address=ends.pop(_NO_ADDRESS, 0),
        other_ends=ends.total(),
        twice=sum(outcome.ends.get(_SENT, 0) > 1 for outcome in here),
        accounted=accounted,
    )
