-- The listener's proof of life: a row it writes must come back as a change. The contract is docs/database_functions.md.

create or replace function notify.beat_canary(p_listener_id text)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
    insert into notify.listener_canary as canary (listener_id, beat, beaten_at)
    values (p_listener_id, 1, now())
    on conflict (listener_id) do update set beat = canary.beat + 1, beaten_at = now()
    returning to_jsonb(canary.beat)
$$;
