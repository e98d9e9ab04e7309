-- The tables of schema `notify`, as existing XNovu projects have them. Two types differ on purpose: a fresh
-- database has `enterprise_id text` and `recipients text[]` (Novu's subscriber ids are opaque strings), an existing
-- one uuid and uuid[]. Functions and indexes therefore read `enterprise_id::text` and `recipients::text[]`.

-- The types' schemas differ from project to project, so they are found through the search path.
do $$
begin
    perform set_config('search_path', string_agg(distinct quote_ident(s.nspname), ', '), false)
    from pg_catalog.pg_type t
    join pg_catalog.pg_namespace s on s.oid = t.typnamespace
    where t.typname = 'ltree'
        or (
            s.nspname in ('notify', 'shared_types')
            and t.typname in (
                'notification_status', 'publish_status', 'notification_channel_type', 'notification_workflow_type'
            )
        );
end
$$;

create table if not exists notify.typ_notification_category (
    id bigint generated always as identity primary key,
    name text not null,
    description text,
    code text unique,
    path ltree,
    sort_order int,
    publish_status publish_status not null default 'DRAFT',
    deactivated boolean not null default false,
    business_id uuid,
    enterprise_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    created_by uuid,
    updated_by uuid,
    unique (name, enterprise_id)
);

create table if not exists notify.typ_notification_priority (
    id bigint generated always as identity primary key,
    name text not null,
    description text,
    code text unique,
    sort_order int,
    publish_status publish_status not null default 'DRAFT',
    deactivated boolean not null default false,
    business_id uuid,
    enterprise_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    created_by uuid,
    updated_by uuid,
    unique (name, enterprise_id)
);

create table if not exists notify.ent_notification_template (
    id bigint generated always as identity primary key,
    name text not null,
    description text,
    template_key text unique,
    channel_type notification_channel_type not null,
    subject_template text,
    body_template text not null,
    variables_description jsonb,
    typ_notification_category_id bigint references notify.typ_notification_category (id) on delete set null,
    publish_status publish_status not null default 'DRAFT',
    deactivated boolean not null default false,
    business_id uuid,
    enterprise_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    created_by uuid,
    updated_by uuid,
    unique (name, enterprise_id)
);

create table if not exists notify.ent_notification_workflow (
    id bigint generated always as identity primary key,
    name text not null,
    description text,
    workflow_type notification_workflow_type not null,
    workflow_key text not null unique,
    default_channels notification_channel_type[],
    payload_schema jsonb,
    control_schema jsonb,
    template_overrides jsonb,
    typ_notification_category_id bigint references notify.typ_notification_category (id) on delete set null,
    publish_status publish_status not null default 'DRAFT',
    deactivated boolean not null default false,
    business_id uuid,
    enterprise_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    created_by uuid,
    updated_by uuid,
    unique (name, enterprise_id)
);

create table if not exists notify.ent_notification_rule (
    id bigint generated always as identity primary key,
    name text not null,
    description text,
    notification_workflow_id bigint not null references notify.ent_notification_workflow (id) on delete cascade,
    trigger_type text,
    trigger_config jsonb,
    rule_payload jsonb,
    publish_status publish_status not null default 'DRAFT',
    deactivated boolean not null default false,
    business_id uuid,
    enterprise_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    created_by uuid,
    updated_by uuid,
    unique (name, enterprise_id)
);

create table if not exists notify.ent_notification (
    id bigint generated always as identity primary key,
    name text not null,
    description text,
    notification_workflow_id bigint references notify.ent_notification_workflow (id) on delete set null,
    notification_rule_id bigint references notify.ent_notification_rule (id) on delete set null,
    typ_notification_category_id bigint references notify.typ_notification_category (id) on delete set null,
    typ_notification_priority_id bigint references notify.typ_notification_priority (id) on delete set null,
    notification_status notification_status not null default 'PENDING',
    payload jsonb not null,
    recipients text[] not null,
    channels notification_channel_type[] default '{IN_APP}',
    overrides jsonb,
    tags text[],
    transaction_id text,
    scheduled_for timestamptz,
    processed_at timestamptz,
    retracted_at timestamptz,
    retraction_reason text,
    error_details jsonb,
    workflow_version int default 1,
    publish_status publish_status not null default 'DRAFT',
    deactivated boolean not null default false,
    business_id uuid,
    enterprise_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    created_by uuid,
    updated_by uuid,
    unique (name, enterprise_id)
);

-- Each listener writes its own row at intervals and expects it back through Realtime: the only proof that changes flow.
create table if not exists notify.listener_canary (
    listener_id text primary key,
    beat bigint not null default 0,
    beaten_at timestamptz not null default now()
);

reset search_path;
