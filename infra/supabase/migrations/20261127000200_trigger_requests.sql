-- What callers of the trigger function asked for under an idempotency key. The contract is docs/database_functions.md.

create table if not exists notify.trigger_request (
    enterprise_id text not null,
    idempotency_key text not null,
    request_hash text not null,
    -- The first of the request's notifications: with it the key goes too. Null only within the transaction that makes it.
    notification_id bigint references notify.ent_notification (id) on delete cascade,
    requested_at timestamptz not null default now(),
    primary key (enterprise_id, idempotency_key)
);
comment on table notify.trigger_request is
    'One row for each idempotency key; the same key with another request_hash is refused.';

create index if not exists trigger_request_notification_id on notify.trigger_request (notification_id);

create or replace function notify.find_trigger_request(
    p_enterprise_id text, p_idempotency_key text, p_request_hash text
)
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select jsonb_build_object(
        'repeated', true, 'conflict', r.request_hash <> p_request_hash, 'notification_id', r.notification_id
    )
    from notify.trigger_request r
    where r.enterprise_id = p_enterprise_id and r.idempotency_key = p_idempotency_key
$$;

create or replace function notify.note_trigger_request(
    p_enterprise_id text, p_idempotency_key text, p_request_hash text, p_notification_id bigint
)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
    -- Of two at once the second waits here until the first has committed, and then reads what it left.
    insert into notify.trigger_request (enterprise_id, idempotency_key, request_hash, notification_id)
    values (p_enterprise_id, p_idempotency_key, p_request_hash, p_notification_id)
    on conflict (enterprise_id, idempotency_key) do nothing;
    if found then
        return jsonb_build_object('repeated', false, 'conflict', false, 'notification_id', p_notification_id);
    end if;
    return notify.find_trigger_request(p_enterprise_id, p_idempotency_key, p_request_hash);
end
$$;
