-- Schema `notify`, the extension its tables need, and the four enums.
--
-- Every file here may meet an empty project, an existing XNovu project, or its own result:
-- create what is absent, never drop, rename or retype what is there.

create schema if not exists notify;
comment on schema notify is 'Notifications as rows: XNovu delivers what is inserted here.';

create schema if not exists extensions;
-- A no-op where ltree is installed already, in whichever schema.
create extension if not exists ltree with schema extensions;

-- Existing projects keep the enums in `shared_types`; there they stay. A fresh project gets them in `notify`.
-- Nothing below names an enum's schema: a bare literal such as 'PENDING' takes the type of the column it meets.
do $$
declare
    enum record;
    missing text;
begin
    for enum in
        select *
        from (values
            ('notification_status', array['PENDING', 'PROCESSING', 'SENT', 'FAILED', 'RETRACTED']),
            ('publish_status', array['NONE', 'DRAFT', 'DISCARD', 'PUBLISH', 'DELETED']),
            ('notification_channel_type', array['IN_APP', 'EMAIL', 'SMS', 'CHAT', 'PUSH']),
            ('notification_workflow_type', array['STATIC', 'DYNAMIC'])
        ) as wanted (name, labels)
    loop
        if not exists (
            select from pg_catalog.pg_type t
            where t.typname = enum.name and t.typtype = 'e'
                and t.typnamespace::regnamespace::text in ('notify', 'shared_types')
        ) then
            execute format(
                'create type notify.%I as enum (%s)', enum.name,
                (select string_agg(quote_literal(label), ', ' order by position)
                 from unnest(enum.labels) with ordinality as l (label, position))
            );
        end if;

        -- Without this, a project whose enum lacks a label would fail at the first notification, not here.
        select string_agg(format('%s.%s lacks %s', t.typnamespace::regnamespace, t.typname, label), ', ')
        into missing
        from pg_catalog.pg_type t
        cross join unnest(enum.labels) as label
        where t.typname = enum.name and t.typtype = 'e'
            and t.typnamespace::regnamespace::text in ('notify', 'shared_types')
            and not exists (select from pg_catalog.pg_enum e where e.enumtypid = t.oid and e.enumlabel = label);
        if missing is not null then
            raise exception 'existing enum cannot serve: %', missing
                using hint = 'Add the labels with ALTER TYPE ... ADD VALUE, then migrate again.';
        end if;
    end loop;
end
$$;
