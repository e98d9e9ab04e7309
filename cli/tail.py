"""`xnovu tail`: how notifications end, as they do."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Generic, Protocol, TypeVar

import typer

from cli.failure import failures_named
from cli.firings import read_instant
from cli.operator_store import EndedNotification, OperatorStore, SettledDelivery
from cli.supabase_session import supabase_session
from cli.terminal import say, say_line
from shared.ports import StoreUnavailable
from shared.settings import SupabaseSettings

LOOK_EVERY_SECONDS = 1.0
PAGE_SIZE = 500

LATE_COMMIT = timedelta(seconds=3)
"""`updated_at` is when its transaction began: what commits later than others is looked for again for so long."""


def tail(
    enterprise: Annotated[str | None, typer.Option(help="Only this enterprise's.")] = None,
    since: Annotated[str | None, typer.Option(metavar="INSTANT", help="RFC 3339; begin there. Default: now.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One object a line.")] = False,
) -> None:
    """Print each notification that ends, until Ctrl-C: when, how, its enterprise, id, and code or transaction id.

    Where account is kept of deliveries, each of them has another line once it is known what became of it.

    The database is asked once a second. Exit 0 after Ctrl-C, 2 for wrong settings or no database at the start.
    """
    begin = None if since is None else read_instant(since, "--since")
    with failures_named():
        settings = SupabaseSettings.load()
        try:
            asyncio.run(_follow(settings, enterprise, begin, as_json))
        except KeyboardInterrupt:
            return


async def _follow(settings: SupabaseSettings, enterprise: str | None, since: datetime | None, as_json: bool) -> None:
    show = _show_object if as_json else _show_line
    async with supabase_session(settings) as client:
        store = OperatorStore(client)
        if since is None:
            since = (await store.ended(None, enterprise, limit=1)).now
        endings = News(partial(_ended, store, enterprise), since)
        deliveries = News(partial(_settled, store, enterprise), since)
        answers = True
        while True:
            try:
                async for ended in endings.new():
                    show(ended)
                async for settled in deliveries.new():
                    show(settled)
                answers = True
            except StoreUnavailable as error:
                if answers:
                    say_line(f"The database did not answer; asking on: {error}", err=True)
                answers = False
            await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _ended(
    store: OperatorStore, enterprise_id: str | None, since: datetime, after_id: int
) -> tuple[Sequence[EndedNotification], bool]:
    page = await store.ended(since, enterprise_id, limit=PAGE_SIZE, after_id=after_id)
    return page.ended, page.has_more


async def _settled(
    store: OperatorStore, enterprise_id: str | None, since: datetime, after_id: int
) -> tuple[Sequence[SettledDelivery], bool]:
    page = await store.settled(since, enterprise_id, limit=PAGE_SIZE, after_id=after_id)
    return page.settled, page.has_more


class Item(Protocol):
    """Something that happened to a notification."""

    @property
    def id(self) -> int: ...

    @property
    def at(self) -> datetime: ...


Told = TypeVar("Told", bound=Item)


class News(Generic[Told]):
    """What happened since the last look, each item once."""

    def __init__(
        self, read: Callable[[datetime, int], Awaitable[tuple[Sequence[Told], bool]]], since: datetime
    ) -> None:
        """`read` gives a page of what happened after an instant and id, and whether there is more."""
        self._read = read
        self._since = since
        self._watermark = since
        self._seen: set[tuple[datetime, int]] = set()

    async def new(self) -> AsyncIterator[Told]:
        """What was not yielded before, in the order in which it happened. Raises StoreUnavailable."""
        place, after_id = max(self._since, self._watermark - LATE_COMMIT), 0
        self._seen = {key for key in self._seen if key[0] >= place}
        has_more = True
        while has_more:
            page, has_more = await self._read(place, after_id)
            for item in page:
                place, after_id = item.at, item.id
                if (item.at, item.id) not in self._seen:
                    self._seen.add((item.at, item.id))
                    self._watermark = max(self._watermark, item.at)
                    yield item


def _show_line(item: EndedNotification | SettledDelivery) -> None:
    if isinstance(item, SettledDelivery):
        what, detail = item.state, item.cause
    else:
        what, detail = item.status, item.code if item.status == "FAILED" else item.transaction_id
    say_line(f"{_rfc3339(item.at)}  {what:<11}  {item.enterprise_id}  {item.id}  {detail or '-'}")


def _show_object(item: EndedNotification | SettledDelivery) -> None:
    say(json.dumps({**asdict(item), "at": _rfc3339(item.at)}))


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
