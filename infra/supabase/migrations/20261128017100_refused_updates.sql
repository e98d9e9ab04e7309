-- A row whose UPDATE is refused by a constraint or a trigger of the project's own: it ends FAILED, or rests here, and holds
-- up no other. The contract is docs/database_functions.md, the reasons are docs/decisions/0056-a-refused-update-is-its-row-s.md.

create table if not exists notify.refused_update (
    notification_id bigint primary key,
    enterprise_id text not null,
    code text not null,
    reason text not null,
    claim_owner text,
    outcome jsonb,
    refusals int not null,
    since timestamptz not null,
    last_at timestamptz not null,
    retry_at timestamptz not null
);
comment on table notify.refused_update is
    'Rows that take no UPDATE of ours, not even to FAILED: what was refused, and when it is tried again.';
comment on column notify.refused_update.reason is
    'SQLSTATE of the refusal; 00000 where a trigger left the row as it was without a word.';
comment on column notify.refused_update.outcome is 'How the delivery ended: what the row is to say once it can.';
create index if not exists refused_update_enterprise on notify.refused_update (enterprise_id, retry_at);

alter table notify.refused_update enable row level security;
revoke all on table notify.refused_update from public, anon, authenticated;
grant select, insert, update, delete on table notify.refused_update to service_role;

create or replace function notify.fault_passes(p_sqlstate text)
returns boolean
language sql
immutable
security invoker
set search_path = ''
as $$
    -- The connection, the transaction (a read-only database among them), resources, locks, an operator, the system.
    select left(p_sqlstate, 2) in ('08', '25', '40', '53', '57', '58') or p_sqlstate = '55P03'
$$;
comment on function notify.fault_passes(text) is 'Whether an error says to try again, rather than that a row is refused.';

create or replace function notify.update_is_refused(p_sqlstate text)
returns boolean
language plpgsql
security invoker
set search_path = ''
as $$
begin
    if notify.fault_passes(p_sqlstate) then
        return false;
    end if;
    -- A right that is missing, a table without replica identity, a trigger for each statement: where not even the update
    -- of no row is possible, it is nobody's row that is to blame.
    update notify.ent_notification n
    set notification_status = n.notification_status, claim_owner = n.claim_owner, lease_expires_at = n.lease_expires_at,
        attempts = n.attempts, processed_at = n.processed_at, updated_at = n.updated_at, transaction_id = n.transaction_id,
        chunks_sent = n.chunks_sent, cancellation = n.cancellation, error_details = n.error_details,
        retracted_at = n.retracted_at, retraction_reason = n.retraction_reason
    where false;
    return true;
exception
    when others or assert_failure then
        return false;
end
$$;
comment on function notify.update_is_refused(text) is
    'Whether an UPDATE of notifications that failed so is refused to some of its rows; else it is worth trying again.';

create or replace function notify.note_refused_update(
    p_enterprise_id text, p_notification_id bigint, p_code text, p_reason text, p_claim_owner text,
    p_outcome jsonb default null, p_retry_after_seconds int default null
)
returns void
language sql
security invoker
set search_path = ''
as $$
    insert into notify.refused_update as r (
        notification_id, enterprise_id, code, reason, claim_owner, outcome, refusals, since, last_at, retry_at
    )
    values (
        p_notification_id, p_enterprise_id, p_code, p_reason, p_claim_owner, p_outcome, 1, now(), now(),
        now() + make_interval(secs => coalesce(p_retry_after_seconds, 60))
    )
    on conflict (notification_id) do update
    set enterprise_id = excluded.enterprise_id,
        code = excluded.code,
        reason = excluded.reason,
        claim_owner = excluded.claim_owner,
        outcome = excluded.outcome,
        refusals = least(r.refusals, 1000000) + 1,
        last_at = excluded.last_at,
        -- After one minute, two, four, and so on to an hour.
        retry_at = case
            when p_retry_after_seconds is null then now() + make_interval(mins => least(60, power(2, least(r.refusals, 6))::int))
            else excluded.retry_at
        end
$$;

-- Those of the enterprises' rows that are not to be taken up now.
create or replace function notify.resting_rows(p_enterprise_ids text[])
returns bigint[]
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(array_agg(r.notification_id), '{}')
    from notify.refused_update r
    where r.enterprise_id = any (p_enterprise_ids) and r.retry_at > now()
$$;

do $$
declare
    function regprocedure;
begin
    for function in
        select p.oid from pg_catalog.pg_proc p
        where p.pronamespace = 'notify'::regnamespace
            and p.proname in ('fault_passes', 'update_is_refused', 'note_refused_update', 'resting_rows')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', function);
        execute format('grant execute on function %s to service_role', function);
    end loop;
end
$$;
