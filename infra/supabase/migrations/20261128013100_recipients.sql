-- Who has which address. A table, or a view of the project's own in its place (docs/database.md, "Recipients' addresses"):
-- nothing here needs more of it than `enterprise_id` and `subscriber_id`. The contract is docs/database_functions.md.

do $$
begin
    -- A project that has put a view there keeps it.
    if to_regclass('notify.recipient') is null then
        create table notify.recipient (
            enterprise_id text not null,
            subscriber_id text not null,
            email text,
            phone text,
            first_name text,
            last_name text,
            avatar text,
            locale text,
            timezone text,
            data jsonb,
            credentials jsonb,
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now(),
            primary key (enterprise_id, subscriber_id)
        );
        alter table notify.recipient enable row level security;
    end if;
end
$$;

revoke all on table notify.recipient from public, anon, authenticated;
grant select, insert, update, delete on table notify.recipient to service_role;

-- Which credentials Novu has been given, by what they hash to; `refusal` is why it would not take them.
create table if not exists notify.recipient_kept (
    enterprise_id text not null,
    subscriber_id text not null,
    credentials_hash text not null,
    refusal text,
    kept_at timestamptz not null default now(),
    primary key (enterprise_id, subscriber_id)
);

alter table notify.recipient_kept enable row level security;
revoke all on table notify.recipient_kept from public, anon, authenticated;
grant select, insert, update, delete on table notify.recipient_kept to service_role;

-- What is known of these subscribers, by id, each as the text of a JSON object. Null in place of a text: too much.
-- `fault`: nothing is known of any, because the view in the table's place failed.
create or replace function notify.recipients_of(p_enterprise_id text, p_subscriber_ids text[])
returns jsonb
language plpgsql
stable
security invoker
set search_path = ''
as $$
declare
    c_bytes constant int := 8192;
    v_known jsonb;
begin
    select coalesce(
        jsonb_object_agg(
            known.subscriber_id,
            case when octet_length(known.text) <= c_bytes then known.text end
        ),
        '{}'
    )
    into v_known
    from (
        select r.subscriber_id::text as subscriber_id,
            case
                when pg_column_size(r) <= 4 * c_bytes
                then (
                    jsonb_build_object(
                        'email', w.row -> 'email',
                        'phone', w.row -> 'phone',
                        'first_name', w.row -> 'first_name',
                        'last_name', w.row -> 'last_name',
                        'avatar', w.row -> 'avatar',
                        'locale', w.row -> 'locale',
                        'timezone', w.row -> 'timezone',
                        'data', w.row -> 'data'
                    ) || case
                        when hashed.credentials_hash is distinct from k.credentials_hash
                        then jsonb_build_object(
                            'credentials', w.row -> 'credentials', 'credentials_hash', hashed.credentials_hash
                        )
                        else '{}'
                    end
                )::text
            end as text
        from notify.recipient r
        cross join lateral (
            select case when pg_column_size(r) <= 4 * c_bytes then to_jsonb(r) end as row
        ) as w
        cross join lateral (
            select encode(sha256(convert_to(nullif(nullif(w.row -> 'credentials', 'null'), '[]')::text, 'UTF8')), 'hex')
                as credentials_hash
        ) as hashed
        left join notify.recipient_kept k
            on k.enterprise_id = p_enterprise_id and k.subscriber_id = r.subscriber_id::text
            and hashed.credentials_hash is not null
        where r.enterprise_id::text = p_enterprise_id
            and r.subscriber_id::text = any (p_subscriber_ids)
    ) as known;

    return jsonb_build_object('known', v_known);
exception
    -- What the view says wrongly it will say again; what passes (a lock, a lost connection) is for the caller to repeat.
    when syntax_error_or_access_rule_violation or data_exception or cardinality_violation
        or external_routine_exception or feature_not_supported or raise_exception
    then
        return jsonb_build_object('known', jsonb '{}', 'fault', sqlstate);
end
$$;

create or replace function notify.note_kept_credentials(p_enterprise_id text, p_kept jsonb)
returns jsonb
language sql
security invoker
set search_path = ''
as $$
    with noted as (
        insert into notify.recipient_kept as k (enterprise_id, subscriber_id, credentials_hash, refusal, kept_at)
        select p_enterprise_id, kept.subscriber_id, kept.credentials_hash, kept.refusal, now()
        from jsonb_to_recordset(p_kept) as kept (subscriber_id text, credentials_hash text, refusal text)
        -- By id, so that two who note the same subscribers wait for each other and do not block.
        order by kept.subscriber_id
        on conflict (enterprise_id, subscriber_id) do update
        set credentials_hash = excluded.credentials_hash, refusal = excluded.refusal, kept_at = excluded.kept_at
        returning 1
    )
    select jsonb_build_object('noted', (select count(*) from noted))
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('recipients_of', 'note_kept_credentials')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
