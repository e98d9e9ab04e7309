-- What the Realtime server's own migrations leave in a tenant's database, as far as broadcast needs it. The functions do
-- what the real ones were seen to do, in words of our own.

create schema if not exists realtime;
grant usage on schema realtime to anon, authenticated, service_role, postgres;

create table if not exists realtime.messages (
    id uuid not null default gen_random_uuid(),
    topic text not null,
    extension text not null,
    event text,
    payload jsonb,
    private boolean default false,
    inserted_at timestamp not null default now(),
    updated_at timestamp not null default now(),
    primary key (id, inserted_at)
) partition by range (inserted_at);
alter table realtime.messages enable row level security;
grant select, insert, update on realtime.messages to anon, authenticated, service_role, postgres;

create or replace function realtime.topic()
returns text
language sql
stable
as $$ select nullif(current_setting('realtime.topic', true), '') $$;

create or replace function realtime.send(payload jsonb, event text, topic text, private boolean default true)
returns void
language plpgsql
as $$
declare
    v_id constant uuid := gen_random_uuid();
begin
    -- Whatever the sender got wrong, it is his message that is gone, not his statement.
    begin
        perform set_config('realtime.topic', topic, true);
        insert into realtime.messages (id, topic, extension, event, payload, private)
        values (
            v_id, topic, 'broadcast', event,
            case when payload ? 'id' then payload else jsonb_set(payload, '{id}', to_jsonb(v_id)) end, private
        );
    exception
        when others then
            raise warning 'WarnSendingBroadcastMessage: %', sqlerrm;
    end;
end
$$;

create or replace function realtime.broadcast_changes(
    topic_name text, event_name text, operation text, table_name text, table_schema text, new record, old record,
    level text default 'ROW'
)
returns void
language plpgsql
as $$
begin
    if level = 'STATEMENT' then
        raise exception 'function can only be triggered for each row, not for each statement';
    end if;
    perform realtime.send(
        jsonb_build_object(
            'operation', operation, 'table', table_name, 'schema', table_schema,
            'record', to_jsonb(new), 'old_record', to_jsonb(old)
        ),
        event_name, topic_name
    );
end
$$;

-- The stand-in reads its slot when it is told to; the real server's is a stream.
create or replace function realtime.tell_edge()
returns trigger
language plpgsql
security definer
as $$
begin
    notify xnovu_edge_messages;
    return null;
end
$$;
create or replace trigger tell_edge
    after insert on realtime.messages
    for each statement execute function realtime.tell_edge();

do $$
begin
    if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime_messages_publication') then
        create publication supabase_realtime_messages_publication for table realtime.messages;
    end if;
end
$$;
