"""A witness of claims in the test's database: who takes a row that another's claim keeps, or says what became of a row
without a claim, is noted, even where nobody suffers because another lock held.
"""

from __future__ import annotations

import asyncpg

_WITNESS = """
create table public.claims_broken (notification_id bigint, what text);
create function public.witness_claims() returns trigger language plpgsql security definer as $body$
begin
    if old.notification_status = 'PROCESSING' and new.notification_status = 'PROCESSING'
        and old.claim_owner <> new.claim_owner
        and old.lease_expires_at > now() and old.lease_expires_at < now() + interval '2 days'
    then
        insert into public.claims_broken values (new.id, 'taken from ' || old.claim_owner || ' by ' || new.claim_owner);
    end if;
    if old.notification_status in ('PENDING', 'PROCESSING') and new.notification_status in ('SENT', 'FAILED')
        and (old.claim_owner is null or old.lease_expires_at is null)
    then
        insert into public.claims_broken values (new.id, 'written by one who had no claim');
    end if;
    return null;
end
$body$;
create trigger witness_claims after update on notify.ent_notification
    for each row execute function public.witness_claims();
"""


async def watch(url: str) -> None:
    """Begin to look."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(_WITNESS)
    finally:
        await connection.close()


async def broken(url: str) -> dict[int, str]:
    """What was seen, by row."""
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch("select notification_id, max(what) as what from public.claims_broken group by 1")
        return {record["notification_id"]: record["what"] for record in found}
    finally:
        await connection.close()
