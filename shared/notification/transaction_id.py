"""The ids under which Novu knows what became of a row: the third lock against sending twice. Pure.

A row's base is `xnovu.<its delivery key>`; a database makes the key at the row's insert, and no other row, database or
environment can make the same (docs/decisions/0050-once.md). Rows sent before there were keys have another base, which
their claim names.
"""

import re
from dataclasses import dataclass

_OURS = "xnovu."
_KEYED = re.compile(
    r"xnovu\.(?P<key>[0-9a-f]{32})(?:\.(?P<chunk>[0-9]{1,9})(?:\.(?P<second_try>[0-9]{1,9}))?)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class ParsedTransactionId:
    """Which row (by its delivery key), which chunk of recipients, and which try, 0 the first, an id belongs to."""

    delivery_key: str
    chunk: int
    second_try: int


def transaction_base(delivery_key: str) -> str:
    """The base of a row with this key: its first chunk's id.

    >>> transaction_base("0a" * 16)
    'xnovu.0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a'
    """
    return f"{_OURS}{delivery_key}"


def transaction_id(base: str, chunk: int = 0, second_try: int = 0) -> str:
    """The id of one call for one chunk of recipients; a second try, counted from 1, is another call.

    >>> transaction_id("xnovu.k"), transaction_id("xnovu.k", 2), transaction_id("xnovu.k", 0, 1)
    ('xnovu.k', 'xnovu.k.2', 'xnovu.k.0.1')
    """
    if second_try:
        return f"{base}.{chunk}.{second_try}"
    return f"{base}.{chunk}" if chunk else base


def transaction_ids(base: str, chunks: int) -> list[str]:
    """Those of all chunks of a row that went out, or may have; another system's id has no chunks of ours."""
    if not base.startswith(_OURS):
        return [base]
    return [transaction_id(base, chunk) for chunk in range(max(1, chunks))]


def second_try_ids(base: str, chunks: int, second_try: int) -> list[str]:
    """Those of a second try."""
    return [transaction_id(base, chunk, second_try) for chunk in range(chunks)]


def parse_transaction_id(text: str) -> ParsedTransactionId | None:
    """What an id says; None for one that was made without a key."""
    found = _KEYED.fullmatch(text)
    if found is None:
        return None
    parsed = ParsedTransactionId(found["key"], int(found["chunk"] or 0), int(found["second_try"] or 0))
    made = transaction_id(transaction_base(parsed.delivery_key), parsed.chunk, parsed.second_try)
    return parsed if made == text else None
