"""A witness of claims in the test's database: who takes a row that another's claim keeps, or says what became of a row
without a claim or over another's, is noted, even where nobody suffers because another lock held.
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

-- A trigger sees what is written, and not who writes it. So whoever records is let through here.
create function public.note_broken_claim(id bigint, what text) returns void language sql security definer as $body$
    insert into public.claims_broken values (id, what)
$body$;
alter function notify.write_outcomes(text, text, jsonb) rename to write_outcomes_unseen;
create function notify.write_outcomes(p_enterprise_id text, p_claim_owner text, p_outcomes jsonb)
returns bigint[] language plpgsql as $body$
declare
    v_ids bigint[];
    v_places tid[];
    v_owners text[];
    v_open bigint[];
begin
    select array_agg(other.id), array_agg(other.ctid), array_agg(other.claim_owner) into v_ids, v_places, v_owners
    from (
        select n.id, n.ctid, n.claim_owner
        from notify.ent_notification n
        where n.id in (select (o.value ->> 'id')::bigint from jsonb_array_elements(p_outcomes) as o)
            and n.claim_owner is distinct from p_claim_owner
        order by n.id
        for update
    ) as other;
    v_open := notify.write_outcomes_unseen(p_enterprise_id, p_claim_owner, p_outcomes);
    perform public.note_broken_claim(n.id, format('recorded by %s, claimed by %s', p_claim_owner, other.owner))
    from unnest(v_ids, v_places, v_owners) as other (id, place, owner)
    join notify.ent_notification n on n.id = other.id
    where n.ctid <> other.place;
    return v_open;
end
$body$;
"""


async def watch(url: str) -> None:
    """Begin to look, at the functions as they are by now."""
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
