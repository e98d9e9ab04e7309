"""`xnovu tail`: how notifications end, as they do."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cli.failure import failures_named
from cli.firings import read_instant
from cli.operator_store import EndedNotification, OperatorStore
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

    The database is asked once a second. Exit 0 after Ctrl-C, 2 for wrong settings or no database at the start.
    """
    begin = None if since is None else read_instant(since)
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
        endings = Endings(store, enterprise, since)
        answers = True
        while True:
            try:
                async for ended in endings.new():
                    show(ended)
                answers = True
            except StoreUnavailable as error:
                if answers:
                    say_line(f"The database did not answer; asking on: {error}", err=True)
                answers = False
            await asyncio.sleep(LOOK_EVERY_SECONDS)


class Endings:
    """Those that ended since the last look, each once."""

    def __init__(self, store: OperatorStore, enterprise_id: str | None, since: datetime) -> None:
        self._store = store
        self._enterprise_id = enterprise_id
        self._since = since
        self._watermark = since
        self._seen: set[tuple[datetime, int]] = set()

    async def new(self) -> AsyncIterator[EndedNotification]:
        """Those not yielded before, in the order in which they ended. Raises StoreUnavailable."""
        place, after_id = max(self._since, self._watermark - LATE_COMMIT), 0
        self._seen = {key for key in self._seen if key[0] >= place}
        has_more = True
        while has_more:
            page = await self._store.ended(place, self._enterprise_id, limit=PAGE_SIZE, after_id=after_id)
            for ended in page.ended:
                place, after_id = ended.at, ended.id
                if (ended.at, ended.id) not in self._seen:
                    self._seen.add((ended.at, ended.id))
                    self._watermark = max(self._watermark, ended.at)
                    yield ended
            has_more = page.has_more


def _show_line(ended: EndedNotification) -> None:
    detail = ended.code if ended.status == "FAILED" else ended.transaction_id
    say_line(f"{_rfc3339(ended.at)}  {ended.status:<9}  {ended.enterprise_id}  {ended.id}  {detail or '-'}")


def _show_object(ended: EndedNotification) -> None:
    say(json.dumps({**asdict(ended), "at": _rfc3339(ended.at)}))


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
