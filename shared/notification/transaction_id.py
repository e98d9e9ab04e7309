"""The deterministic Novu transaction id: the third lock against sending twice."""


def transaction_id(enterprise_id: str, notification_id: int, chunk: int = 0) -> str:
    """The id under which Novu removes duplicates of one call for one chunk of recipients.

    Chunk 0 carries the notification's own id, which the row stores; later chunks append their number.

    >>> transaction_id("ent1", 42), transaction_id("ent1", 42, 2)
    ('xnovu.ent1.42', 'xnovu.ent1.42.2')
    """
    base = f"xnovu.{enterprise_id}.{notification_id}"
    return base if chunk == 0 else f"{base}.{chunk}"
