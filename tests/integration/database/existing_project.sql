-- An XNovu project from before these migrations: enums in `shared_types`, uuid enterprises and recipients, one index,
-- ltree in `public`, no publication, no row-level security, default privileges for the public roles, and rows in every
-- state.

create extension ltree schema public;
create schema notify;
alter default privileges grant all on tables to anon, authenticated;
alter default privileges grant all on sequences to anon, authenticated;
alter default privileges in schema notify grant all on tables to anon, authenticated;
alter default privileges in schema notify grant all on sequences to anon;
alter default privileges in schema notify grant execute on functions to anon;
create schema shared_types;
create type shared_types.notification_status as enum ('PENDING', 'PROCESSING', 'SENT', 'FAILED', 'RETRACTED');
create type shared_types.publish_status as enum ('NONE', 'DRAFT', 'DISCARD', 'PUBLISH', 'DELETED');
create type shared_types.notification_channel_type as enum ('IN_APP', 'EMAIL', 'SMS', 'CHAT', 'PUSH');
create type shared_types.notification_workflow_type as enum ('STATIC', 'DYNAMIC');

create table notify.typ_notification_category (
    id bigint generated always as identity primary key,
    name text not null,
    description text,
    code text unique,
    path public.ltree,
    sort_order int,
    publish_status shared_types.publish_status not null default 'DRAFT',
    deactivated boolean not null default false,
    business_id uuid,
    enterprise_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    created_by uuid,
    updated_by uuid,
    unique (name, enterprise_id)
);

create table notify.typ_notification_priority (
    id bigint generated always as identity primary key,
    name text not null,
    description text,
    code text unique,
    sort_order int,
    publish_status shared_types.publish_status not null default 'DRAFT',
    deactivated boolean not null default false,
    business_id uuid,
    enterprise_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    created_by uuid,
    updated_by uuid,
    unique (name, enterprise_id)
);

create table notify.ent_notification_template (
    id bigint generated always as identity primary key,
    name text not null,
    description text,
    template_key text unique,
    channel_type shared_types.notification_channel_type not null,
    subject_template text,
    body_template text not null,
    variables_description jsonb,
    typ_notification_category_id bigint references notify.typ_notification_category (id) on delete set null,
    publish_status shared_types.publish_status not null default 'DRAFT',
    deactivated boolean not null default false,
    business_id uuid,
    enterprise_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    created_by uuid,
    updated_by uuid,
    unique (name, enterprise_id)
);

create table notify.ent_notification_workflow (
    id bigint generated always as identity primary key,
    name text not null,
    description text,
    workflow_type shared_types.notification_workflow_type not null,
    workflow_key text not null unique,
    default_channels shared_types.notification_channel_type[],
    payload_schema jsonb,
    control_schema jsonb,
    template_overrides jsonb,
    typ_notification_category_id bigint references notify.typ_notification_category (id) on delete set null,
    publish_status shared_types.publish_status not null default 'DRAFT',
    deactivated boolean not null default false,
    business_id uuid,
    enterprise_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    created_by uuid,
    updated_by uuid,
    unique (name, enterprise_id)
);

create table notify.ent_notification_rule (
    id bigint generated always as identity primary key,
    name text not null,
    description text,
    notification_workflow_id bigint not null references notify.ent_notification_workflow (id) on delete cascade,
    trigger_type text,
    trigger_config jsonb,
    rule_payload jsonb,
    publish_status shared_types.publish_status not null default 'DRAFT',
    deactivated boolean not null default false,
    business_id uuid,
    enterprise_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    created_by uuid,
    updated_by uuid,
    unique (name, enterprise_id)
);

create table notify.ent_notification (
    id bigint generated always as identity primary key,
    name text not null,
    description text,
    notification_workflow_id bigint references notify.ent_notification_workflow (id) on delete set null,
    notification_rule_id bigint references notify.ent_notification_rule (id) on delete set null,
    typ_notification_category_id bigint references notify.typ_notification_category (id) on delete set null,
    typ_notification_priority_id bigint references notify.typ_notification_priority (id) on delete set null,
    notification_status shared_types.notification_status not null default 'PENDING',
    payload jsonb not null,
    recipients uuid[] not null,
    channels shared_types.notification_channel_type[] default '{IN_APP}',
    overrides jsonb,
    tags text[],
    transaction_id text,
    scheduled_for timestamptz,
    processed_at timestamptz,
    retracted_at timestamptz,
    retraction_reason text,
    error_details jsonb,
    workflow_version int default 1,
    publish_status shared_types.publish_status not null default 'DRAFT',
    deactivated boolean not null default false,
    business_id uuid,
    enterprise_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    created_by uuid,
    updated_by uuid,
    unique (name, enterprise_id)
);
create index ent_notification_created_at on notify.ent_notification (created_at desc);

insert into notify.ent_notification_workflow (name, workflow_type, workflow_key, publish_status, enterprise_id)
values ('welcome', 'STATIC', 'legacy-welcome', 'PUBLISH', '00000000-0000-4000-8000-0000000000aa');

insert into notify.ent_notification (
    name, notification_workflow_id, notification_status, payload, recipients, transaction_id, publish_status, enterprise_id
)
select
    'legacy ' || status, 1, status, '{"greeting": "hello"}', '{00000000-0000-4000-8000-0000000000ff}',
    case status when 'SENT' then 'legacy-transaction' end, 'PUBLISH', '00000000-0000-4000-8000-0000000000aa'
from unnest(enum_range(null::shared_types.notification_status)) as status;
