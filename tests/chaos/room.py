"""PostgreSQL without room: no test can fill the disk of its machine, so a trigger says what PostgreSQL would say."""

from __future__ import annotations

import asyncpg

_TRIGGER = """
create table public.disk_is_full (since timestamptz);
create function public.refuse_for_want_of_room() returns trigger language plpgsql security definer as $body$
begin
    if exists (select from public.disk_is_full) then
        raise exception 'could not extend file "base/5/16385": No space left on device' using errcode = 'disk_full';
    end if;
    return null;
end
$body$;
create trigger refuse_for_want_of_room before insert or update on notify.ent_notification
    for each statement execute function public.refuse_for_want_of_room();
"""


async def prepare(url: str) -> None:
    """Make the trigger, before anything runs: later it would have to wait for every transaction."""
    await _execute(url, _TRIGGER)


async def is_gone(url: str) -> None:
    """From now on every INSERT and UPDATE of notifications ends with SQLSTATE 53100, whoever's it is."""
    await _execute(url, "insert into public.disk_is_full values (now())")


async def is_back(url: str) -> None:
    """Somebody has made room."""
    await _execute(url, "delete from public.disk_is_full")


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
