"""`xnovu replay --id`: rows by their ids, whosever they are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from postgrest import AsyncPostgrestClient

from shared.supabase.sql_function import call_function

_HINDRANCES = {
    "not_failed": "is {status}, and only FAILED ones are replayed",
    "nobodys": "stays FAILED: it belongs to no enterprise",
    "inactive": "stays FAILED: it is unpublished or deactivated; publish it first",
    "past_deliver_before": "stays FAILED: its deliver_before has passed; move that first",
}


@dataclass(frozen=True, slots=True)
class ChosenRow:
    """A row that was asked for; `hindrance` is why it is not replayed, None if nothing hinders."""

    notification_id: int
    enterprise_id: str | None
    status: str
    code: str | None
    may_have_reached_novu: bool
    hindrance: str | None


@dataclass(frozen=True, slots=True)
class ChosenReplay:
    """`notification_ids` are PENDING again, or would be; `refused` as in Replay; `missing` are no rows."""

    dry_run: bool
    rows: tuple[ChosenRow, ...]
    notification_ids: tuple[int, ...]
    refused: Mapping[str, str]
    missing: tuple[int, ...]


async def replay_chosen(client: AsyncPostgrestClient, ids: Sequence[int], *, dry_run: bool) -> ChosenReplay:
    """Set those of these rows to PENDING that are FAILED and would be sent. Raises StoreUnavailable."""
    answer = await call_function(client, "replay_chosen", p_notification_ids=list(ids), p_dry_run=dry_run)
    return ChosenReplay(
        dry_run=answer["dry_run"],
        rows=tuple(ChosenRow(**row) for row in answer["rows"]),
        notification_ids=tuple(answer["notification_ids"]),
        refused=answer["refused"],
        missing=tuple(answer["missing"]),
    )


def chosen_lines(done: ChosenReplay) -> Iterator[str]:
    """A line for each row, and what was, or would be, done."""
    chosen = set(done.notification_ids)
    for row in done.rows:
        if row.hindrance is not None:
            what = _HINDRANCES.get(row.hindrance, row.hindrance).format(status=row.status)
        elif row.notification_id not in chosen:
            state = done.refused.get(str(row.notification_id))
            what = f"stays FAILED: a constraint or trigger of the project refuses its UPDATE ({state})"
        else:
            reached = ", Novu leaves out whom it has served" if row.may_have_reached_novu else ""
            what = f"{'would be' if done.dry_run else 'is'} PENDING again (it was {row.code or 'unknown'}{reached})"
        yield f"{row.notification_id} of {row.enterprise_id or 'nobody'} {what}."
    for notification_id in done.missing:
        yield f"There is no notification {notification_id}."
    if done.dry_run:
        yield f"Dry run: nothing was changed. --yes does it, for {len(done.notification_ids)}."
    elif done.notification_ids:
        yield "xnovu tail shows how they end."
