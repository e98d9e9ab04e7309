"""The deterministic Novu transaction id: the third lock against sending twice. No two rows can have the same one."""

import re

_ENDS_LIKE_A_ROW = re.compile(r"\.[0-9]+$")

_MARK = "~"
"""No enterprise id has it (docs/configuration.md), and a URL may."""


def transaction_id(enterprise_id: str, notification_id: int, chunk: int = 0) -> str:
    """The id under which Novu removes duplicates of one call for one chunk of recipients.

    Chunk 0 carries the notification's own id, which the row stores; later chunks append their number. An enterprise
    id that ends like a row's or chunk's number is marked, or its rows would be taken for another enterprise's chunks.

    >>> transaction_id("ent1", 42), transaction_id("ent1", 42, 2), transaction_id("ent1.42", 2)
    ('xnovu.ent1.42', 'xnovu.ent1.42.2', 'xnovu.ent1.42~.2')
    """
    mark = _MARK if _ENDS_LIKE_A_ROW.search(enterprise_id) else ""
    return _of_chunk(f"xnovu.{enterprise_id}{mark}.{notification_id}", chunk)


def transaction_ids(enterprise_id: str, notification_id: int, stored: str | None, chunks: int) -> list[str]:
    """Those of all chunks of a row that went out, or may have, under the id that it stores.

    A row keeps the id it was sent under: an unmarked one of an earlier release, or another system's, which has no
    chunks of ours.
    """
    own = transaction_id(enterprise_id, notification_id)
    first = stored or own
    if first not in (own, f"xnovu.{enterprise_id}.{notification_id}"):
        return [first]
    return [_of_chunk(first, chunk) for chunk in range(max(1, chunks))]


def _of_chunk(first: str, chunk: int) -> str:
    return first if chunk == 0 else f"{first}.{chunk}"
