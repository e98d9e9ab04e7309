-- What a scheduler has not read yet: each change of rules leaves a mark, each pass of the scheduler takes away those it
-- sees. A sweep compares the two at no cost that grows with rules. The contract is docs/database_functions.md.

create table if not exists notify.unread_rules (
    id bigint generated always as identity primary key,
    enterprise_id text not null,
    changed_at timestamptz not null default now()
);
comment on table notify.unread_rules is
    'Marks: rules of the enterprise changed, and its scheduler has not read them since. Realtime may lose the change.';
create index if not exists unread_rules_enterprise on notify.unread_rules (enterprise_id, changed_at);

alter table notify.unread_rules enable row level security;
revoke all on table notify.unread_rules from public, anon, authenticated;
grant select, insert, update, delete on table notify.unread_rules to service_role;

-- With its owner's rights: whoever may write a rule may leave its mark.
create or replace function notify.mark_unread_rules()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
declare
    v_enterprise_ids text[];
    v_enterprise_id text;
begin
    -- `schedule_changed_at` is kept by another trigger: it says which updates concern the schedule, and that the
    -- scheduler's own notes on a rule do not.
    if tg_op = 'INSERT' then
        select array_agg(distinct r.enterprise_id::text) into v_enterprise_ids from changed r;
    elsif tg_op = 'DELETE' then
        select array_agg(distinct r.enterprise_id::text) into v_enterprise_ids from former r;
    else
        select array_agg(distinct touched.enterprise_id)
        into v_enterprise_ids
        from former o
        join changed n on n.id = o.id
        cross join lateral (values (o.enterprise_id::text), (n.enterprise_id::text)) as touched (enterprise_id)
        where (n.schedule_changed_at, n.enterprise_id::text) is distinct from (o.schedule_changed_at, o.enterprise_id::text);
    end if;

    -- A mark is left with every change, never a counter raised: two transactions that change rules never wait for each
    -- other, and the one that commits last is not taken for read. A mark that nobody is taking away will do: while this
    -- transaction holds it, a pass leaves it in its place.
    foreach v_enterprise_id in array coalesce(array_remove(v_enterprise_ids, null), '{}') loop
        perform
        from notify.unread_rules u
        where u.enterprise_id = v_enterprise_id
        limit 1
        for key share skip locked;
        if not found then
            insert into notify.unread_rules (enterprise_id) values (v_enterprise_id);
        end if;
    end loop;
    return null;
end
$$;

create or replace trigger mark_inserted_rules
    after insert on notify.ent_notification_rule
    referencing new table as changed
    for each statement execute function notify.mark_unread_rules();
create or replace trigger mark_updated_rules
    after update on notify.ent_notification_rule
    referencing old table as former new table as changed
    for each statement execute function notify.mark_unread_rules();
create or replace trigger mark_deleted_rules
    after delete on notify.ent_notification_rule
    referencing old table as former
    for each statement execute function notify.mark_unread_rules();

-- The scheduler's reading. Marks first: what commits between the two statements is read, and its mark stays.
create or replace function notify.read_cron_rules(p_enterprise_id text)
returns jsonb
language plpgsql
security invoker
set search_path = ''
as $$
begin
    delete from notify.unread_rules u
    where u.id in (
        select m.id from notify.unread_rules m where m.enterprise_id = p_enterprise_id for update skip locked
    );
    return notify.cron_rules(p_enterprise_id);
end
$$;
