"""`xnovu replay --undelivered`: a second try, by hand, for whom delivery definitely failed (docs/delivery.md)."""

from collections.abc import Iterator
from dataclasses import asdict

from cli.aligned import aligned
from cli.operator_store import UndeliveredReplay

_LEFT_OUT = {
    "would_repeat_what_arrived": "would bring what arrived a second time, or may have reached Novu",
    "inactive": "are unpublished or deactivated",
    "past_deliver_before": "are past their deliver_before",
    "not_sent": "are not SENT any more",
    "without_key": "were sent under an id of before this release",
    "refused": "refuse their UPDATE, or changed meanwhile",
    "beyond_limit": "are beyond --limit",
}


def undelivered_lines(done: UndeliveredReplay) -> Iterator[str]:
    """What was, or would be, tried again; and why the rest is not."""
    if done.messages:
        yield from aligned(
            [("channel", "notifications", "people"), *(tuple(map(str, asdict(it).values())) for it in done.messages)]
        )
        yield ""
    elif not done.left_out:
        yield "Nothing is known to have failed at Novu."
        return
    count = len(done.notification_ids)
    if done.dry_run:
        yield f"Dry run: nothing was changed. With --yes, {count} would be sent again to whom they failed for alone."
    else:
        yield f"{count} are sent again to whom they failed for alone. xnovu tail shows what becomes of them."
    for hindrance, rows in sorted(done.left_out.items()):
        yield f"Left out: {rows} that {_LEFT_OUT.get(hindrance, hindrance)}."
