-- When each enterprise's schedulers last looked, and when they will next: what the orchestration shows.

create table if not exists notify.scheduler_pass (
    enterprise_id text not null,
    scheduler text not null check (scheduler in ('cron', 'scheduled')),
    last_pass_at timestamptz not null,
    next_due_at timestamptz,
    primary key (enterprise_id, scheduler)
);
comment on column notify.scheduler_pass.next_due_at is 'The earliest instant known at the last pass; null: none.';

create or replace function notify.scheduler_passes(p_enterprise_ids text[])
returns jsonb
language sql
stable
security invoker
set search_path = ''
as $$
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'enterprise_id', p.enterprise_id,
                'scheduler', p.scheduler,
                'last_pass_at', p.last_pass_at,
                'next_due_at', p.next_due_at
            )
            order by p.enterprise_id, p.scheduler
        ),
        '[]'
    )
    from notify.scheduler_pass p
    where p.enterprise_id = any (p_enterprise_ids)
$$;
