-- Rows in doubt show as that: of a row that was put off several times nobody is to believe that its workers die of it.

create index if not exists ent_notification_in_doubt
    on notify.ent_notification ((enterprise_id::text))
    where notification_status = 'PROCESSING' and in_doubt_since is not null;

create or replace function notify.retried_deliveries(p_enterprise_ids text[])
returns jsonb
language plpgsql
security invoker
set search_path = ''
set enable_seqscan = off
set jit = off
as $$
declare
    v_most constant int := 1000;
    v_retried jsonb;
begin
    -- What is settled by now is no longer of interest. Another may be clearing away the same: let it.
    delete from notify.delivery_fault f
    where f.notification_id in (
        select stale.notification_id
        from notify.delivery_fault stale
        left join notify.ent_notification n
            on n.id = stale.notification_id
            and n.notification_status = 'PROCESSING'
            and n.claim_owner = stale.claim_owner
        where n.id is null
        order by stale.notification_id
        limit v_most
        for update of stale skip locked
    );

    delete from notify.refused_update r
    where r.notification_id in (
        select noted.notification_id
        from notify.refused_update noted
        left join notify.ent_notification n
            on n.id = noted.notification_id
            and case noted.code
                when 'cancellation_refused' then n.notification_status = 'RETRACTED' and n.cancellation is null
                when 'claim_refused' then n.notification_status in ('PENDING', 'PROCESSING')
                else n.notification_status = 'PROCESSING' and n.claim_owner = noted.claim_owner
            end
        where n.id is null
        order by noted.notification_id
        limit v_most
        for update of noted skip locked
    );

    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'enterprise_id', enterprise.id,
                'code', retried.code,
                'rows', retried.rows,
                'oldest_age_seconds', greatest(0, extract(epoch from now() - retried.since))
            )
            order by enterprise.id, retried.code
        ),
        '[]'
    )
    into v_retried
    from (select distinct e.id from unnest(p_enterprise_ids) as e (id)) as enterprise
    cross join lateral (
        select each.code, count(*) as rows, min(each.since) as since
        from (
            (
                select f.code, f.since
                from notify.delivery_fault f
                join notify.ent_notification n on n.id = f.notification_id
                where f.enterprise_id = enterprise.id
                    and n.notification_status = 'PROCESSING' and n.claim_owner = f.claim_owner
                order by f.since
                limit v_most
            )
            union all
            (
                -- A claim that has just been made may well be the last one that is needed.
                select 'worker_lost', n.processed_at
                from notify.ent_notification n
                where n.enterprise_id::text = enterprise.id
                    and n.notification_status = 'PROCESSING' and n.attempts > 3
                    and n.processed_at < now() - interval '5 seconds' and isfinite(n.processed_at)
                    and not exists (select from notify.delivery_fault f where f.notification_id = n.id)
                    and not exists (select from notify.refused_update r where r.notification_id = n.id)
                    and not (n.claim_owner is null and n.in_doubt_since is not null)
                limit v_most
            )
            union all
            (
                -- Nobody holds these: they are put off, until Novu is asked again.
                select 'in_doubt', greatest(n.in_doubt_since, now() - interval '2 days')
                from notify.ent_notification n
                where n.enterprise_id::text = enterprise.id
                    and n.notification_status = 'PROCESSING' and n.in_doubt_since is not null
                    and n.claim_owner is null
                limit v_most
            )
            union all
            (
                select r.code, r.since
                from notify.refused_update r
                where r.enterprise_id = enterprise.id
                order by r.retry_at
                limit v_most
            )
        ) as each
        group by each.code
    ) as retried;

    return v_retried;
end
$$;
