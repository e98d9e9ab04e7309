-- Listeners share the shards of enterprises between them. Which are whose they reckon by themselves, from who is here and
-- what each one hears; here it is seen to that nobody gives up a shard that nobody else hears. The contract is
-- docs/database_functions.md; the reasons, docs/decisions/0072.

create table if not exists notify.listener_share (
    listener_id text primary key,
    deployment text not null,
    shards int[] not null,
    joined_at timestamptz not null,
    seen_at timestamptz not null
);
comment on table notify.listener_share is
    'Running listeners, and the shards that each of them hears; one that has ended in good order takes its row away.';

alter table notify.listener_share enable row level security;
revoke all on table notify.listener_share from public, anon, authenticated;
grant select, insert, update, delete on table notify.listener_share to service_role;

create or replace function notify.share_shards(
    p_listener_id text, p_deployment text, p_hears int[], p_gives int[], p_alive_seconds double precision
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
declare
    v_now timestamptz;
    v_joined_at timestamptz;
    v_given int[];
begin
    -- Two that give the same shard to each other would both lose it.
    perform pg_advisory_xact_lock(hashtextextended('xnovu listeners of ' || p_deployment, 0));
    v_now := clock_timestamp();

    delete from notify.listener_share s
    where s.listener_id in (
        select gone.listener_id
        from notify.listener_share gone
        where gone.listener_id <> p_listener_id
            and (
                gone.seen_at < v_now - interval '1 day'
                or (gone.deployment = p_deployment and gone.seen_at < v_now - make_interval(secs => p_alive_seconds))
            )
        for update skip locked
    );

    insert into notify.listener_share as s (listener_id, deployment, shards, joined_at, seen_at)
    values (p_listener_id, p_deployment, p_hears, v_now, v_now)
    on conflict (listener_id) do update
    set deployment = excluded.deployment, shards = excluded.shards, seen_at = excluded.seen_at
    returning s.joined_at into v_joined_at;

    -- To one who was seen since we came: what was last said before that may have been said by one who is dead.
    select coalesce(array_agg(shard order by shard), '{}')
    into v_given
    from unnest(p_gives) as shard
    where exists (
        select
        from notify.listener_share other
        where other.deployment = p_deployment and other.listener_id <> p_listener_id
            and other.seen_at > v_joined_at and shard = any (other.shards)
    );
    if cardinality(v_given) > 0 then
        update notify.listener_share s
        set shards = (select coalesce(array_agg(h), '{}') from unnest(p_hears) as h where h <> all (v_given))
        where s.listener_id = p_listener_id;
    end if;

    return jsonb_build_object(
        'given', to_jsonb(v_given),
        'listeners', (
            select jsonb_object_agg(s.listener_id, to_jsonb(s.shards))
            from notify.listener_share s
            where s.deployment = p_deployment
        )
    );
end
$$;

create or replace function notify.leave_shards(p_listener_id text)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
    with gone as (
        delete from notify.listener_share s where s.listener_id = p_listener_id returning 1
    )
    select jsonb_build_object('left', exists (select from gone))
$$;

revoke all on function notify.share_shards(text, text, int[], int[], double precision) from public, anon, authenticated;
grant execute on function notify.share_shards(text, text, int[], int[], double precision) to service_role;
revoke all on function notify.leave_shards(text) from public, anon, authenticated;
grant execute on function notify.leave_shards(text) to service_role;
