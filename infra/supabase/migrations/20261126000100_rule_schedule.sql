-- Which instants of a CRON rule are decided, and why a rule cannot fire.

alter table notify.ent_notification_rule
    add column if not exists schedule_changed_at timestamptz,
    add column if not exists schedule_error text;

comment on column notify.ent_notification_rule.schedule_changed_at is
    'Since when the rule''s instants count: its last change of schedule. Kept by a trigger; null on older rows.';
comment on column notify.ent_notification_rule.schedule_error is
    'Why the rule cannot fire; null if nothing is known against it. Cleared when the rule changes.';

-- A table of its own and not a column of the rule, because rules are published: a thousand rules that fire in one
-- minute would be a thousand row changes more, and Realtime silences a tenant that exceeds its rate.
create table if not exists notify.rule_progress (
    rule_id bigint primary key references notify.ent_notification_rule (id) on delete cascade,
    fired_through timestamptz not null
);
comment on table notify.rule_progress is
    'Every instant of the rule up to fired_through is decided: fired, or passed over by its catch-up policy.';

create index if not exists ent_notification_rule_cron
    on notify.ent_notification_rule ((enterprise_id::text), id)
    where publish_status = 'PUBLISH' and not deactivated and upper(trigger_type) = 'CRON';

create or replace function notify.note_rule_change()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
    -- A pause is no outage, and a changed expression counts from its change on: what came before is not caught up.
    if tg_op = 'INSERT'
        or (
            new.publish_status, new.deactivated, new.trigger_type, new.trigger_config, new.notification_workflow_id,
            new.enterprise_id
        ) is distinct from (
            old.publish_status, old.deactivated, old.trigger_type, old.trigger_config, old.notification_workflow_id,
            old.enterprise_id
        )
    then
        new.schedule_changed_at := now();
        new.schedule_error := null;
        new.updated_at := now();
    elsif new.rule_payload is distinct from old.rule_payload then
        new.schedule_error := null;
    end if;
    return new;
end
$$;

create or replace trigger note_rule_change
    before insert or update on notify.ent_notification_rule
    for each row execute function notify.note_rule_change();

create or replace function notify.note_workflow_change()
returns trigger
language plpgsql
security invoker
set search_path = ''
as $$
begin
    update notify.ent_notification_rule r
    set schedule_changed_at = now(), schedule_error = null
    where r.notification_workflow_id = new.id;
    return null;
end
$$;

-- A rule rests while its workflow does. Workflows are not published; their rules are, and so the scheduler hears of it.
create or replace trigger note_workflow_change
    after update of publish_status, deactivated, enterprise_id on notify.ent_notification_workflow
    for each row
    when (
        (old.publish_status, old.deactivated, old.enterprise_id)
        is distinct from (new.publish_status, new.deactivated, new.enterprise_id)
    )
    execute function notify.note_workflow_change();
