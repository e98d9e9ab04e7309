"""The order in which a person is taken out: what would send to them first, what their addresses are known by last."""

import asyncio
import time
from dataclasses import dataclass

from cli.erase.at_novu import PersonAtNovu
from cli.erase.places import AddressesFound, PersonHere, RowsFound, RulesFound
from cli.erase.receipt import Place, Receipt
from shared.novu.subscribers import SubscriberUnavailable

LOOK_AGAIN_SECONDS = 1.0
_VIEW = "notify.recipient is a view of yours: delete what it reads"
_SHARED = "it is other enterprises' subscriber, too: --shared deletes it"


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is of a person."""

    rows: RowsFound
    rules: RulesFound
    addresses: AddressesFound
    subscriber: bool
    messages: list[str]


async def survey(here: PersonHere, novu: PersonAtNovu) -> Survey:
    """Changes nothing. Raises StoreUnavailable, SubscriberUnavailable."""
    subscriber = await novu.subscriber()
    return Survey(
        await here.rows(dry_run=True),
        await here.rules(dry_run=True),
        await here.addresses(dry_run=True),
        subscriber is not None,
        [] if subscriber is None else await novu.messages(),
    )


def receipt_of(enterprise_id: str, subscriber_id: str, found: Survey) -> Receipt:
    """Before anything is removed."""
    places = [
        Place("rules", len(found.rules.found)),
        Place("notifications.recipients", len(found.rows.recipients)),
        Place("notifications.content", len(found.rows.content)),
        Place("trigger_request", found.rows.requests),
        Place("delivery_fact", found.rows.facts),
        Place("novu.queue", 0),
        Place("recipient", found.addresses.addresses),
        Place("recipient_kept", found.addresses.credentials),
        Place("novu.messages", len(found.messages)),
        Place("novu.subscriber", int(found.subscriber)),
    ]
    return Receipt(
        enterprise_id,
        subscriber_id,
        True,
        places,
        list(found.rows.retracted),
        list(found.rules.deactivated),
        list(found.addresses.others),
    )


async def carry_out(
    receipt: Receipt, here: PersonHere, novu: PersonAtNovu, *, wait_seconds: float, shared: bool
) -> None:
    """Take out, and read again into the receipt. Raises StoreUnavailable; what Novu does not do the receipt tells."""
    receipt.dry_run = False
    by_name = {place.place: place for place in receipt.places}
    until = time.monotonic() + wait_seconds
    rules = await here.rules(dry_run=False)
    sent_as = await _take_out_of_rows(by_name, receipt, here, until)
    await _wait_for_queue(by_name["novu.queue"], sent_as, novu, until)
    addresses = await here.addresses(dry_run=False)
    await _take_out_of_novu(by_name, novu, keep=bool(receipt.shared_with) and not shared)

    rows_left, rules_left, left = (
        await here.rows(dry_run=True),
        await here.rules(dry_run=True),
        await here.addresses(dry_run=True),
    )
    by_name["rules"].removed = len(rules.found) - len(rules.refused)
    by_name["rules"].left = len(rules_left.found)
    by_name["rules"].why = _refused(rules.refused)
    by_name["notifications.recipients"].left = len(rows_left.recipients)
    by_name["notifications.content"].left = len(rows_left.content)
    for name, count in (("trigger_request", rows_left.requests), ("delivery_fact", rows_left.facts)):
        by_name[name].removed, by_name[name].left = max(by_name[name].found - count, 0), count
    for name, before, after in (
        ("recipient", addresses.addresses, left.addresses),
        ("recipient_kept", addresses.credentials, left.credentials),
    ):
        by_name[name].removed, by_name[name].left = before - after, after
    if left.addresses and left.is_view:
        by_name["recipient"].why = _VIEW


async def _take_out_of_rows(places: dict[str, Place], receipt: Receipt, here: PersonHere, until: float) -> set[str]:
    """Pass by pass, until no worker has any in its hands. Answers under which ids Novu got some lately."""
    sent_as: set[str] = set()
    retracted = set(receipt.retracted)
    while True:
        done = await here.rows(dry_run=False)
        untouched = {*done.in_flight, *map(int, done.refused)}
        places["notifications.recipients"].removed += len(set(done.recipients) - untouched)
        places["notifications.content"].removed += len(set(done.content) - untouched)
        retracted |= set(done.retracted)
        sent_as |= done.sent_as
        waiting = len(done.in_flight) + len(done.busy)
        if waiting and time.monotonic() < until:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            continue
        receipt.retracted = sorted(retracted)
        if waiting:
            places["notifications.recipients"].why = f"{waiting} are being sent or written just now"
        elif done.refused:
            places["notifications.recipients"].why = _refused(done.refused)
        return sent_as


async def _wait_for_queue(place: Place, sent_as: set[str], novu: PersonAtNovu, until: float) -> None:
    """What Novu took and has not taken up would make the subscriber anew, address and all."""
    place.found = len(sent_as)
    try:
        waiting = await novu.not_taken_up(sent_as)
        while waiting and time.monotonic() < until:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            waiting = await novu.not_taken_up(waiting)
    except SubscriberUnavailable as unavailable:
        place.left, place.why = None, str(unavailable)
        return
    place.removed, place.left = len(sent_as) - len(waiting), len(waiting)
    if waiting:
        place.why = "Novu shows nothing of these yet, and may make the subscriber anew: again in a quarter of an hour"


async def _take_out_of_novu(places: dict[str, Place], novu: PersonAtNovu, *, keep: bool) -> None:
    """Messages while their subscriber is known; read again before it goes, and it after."""
    messages, subscriber = places["novu.messages"], places["novu.subscriber"]
    if keep and await _is_known(novu, subscriber):
        messages.left, messages.why = messages.found, _SHARED if messages.found else None
        subscriber.left, subscriber.why = 1, _SHARED
        return
    try:
        if await novu.subscriber() is not None:
            messages.removed = await novu.delete_messages(await novu.messages())
            messages.left = len(await novu.messages())
        subscriber.removed = int(await novu.delete_subscriber())
        subscriber.left = int(await novu.subscriber() is not None)
    except SubscriberUnavailable as unavailable:
        messages.left = subscriber.left = None
        messages.why = subscriber.why = str(unavailable)


async def _is_known(novu: PersonAtNovu, place: Place) -> bool:
    try:
        return await novu.subscriber() is not None
    except SubscriberUnavailable as unavailable:
        place.why = str(unavailable)
        return True


def _refused(refused: dict[str, str]) -> str | None:
    """Whose the refusal is: a constraint or trigger of the project's."""
    if not refused:
        return None
    return "refused by the project's own constraint or trigger: " + ", ".join(
        f"{each} ({state})" for each, state in sorted(refused.items())
    )
