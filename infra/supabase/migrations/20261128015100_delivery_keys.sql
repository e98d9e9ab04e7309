-- A key of each row's own, made at its insert: Novu's transaction ids are made of it, so that no other row, database or
-- environment can ever make the same (docs/decisions/0050-once.md). And what a delivery knows of Novu's answers.
--
-- Each file of this migration is a transaction: this one holds the table for a moment only. No row is written again: the
-- key's default is set apart from its column, so that it counts for rows to come, and the others are constants.

alter table notify.ent_notification
    add column if not exists delivery_key text,
    add column if not exists transaction_base text,
    add column if not exists awaits_answer boolean not null default false,
    add column if not exists in_doubt_since timestamptz,
    add column if not exists doubtful_repeats int not null default 0,
    add column if not exists idempotency_round int not null default 0,
    add column if not exists chunks_beyond int[];

alter table notify.ent_notification
    alter column delivery_key set default replace(gen_random_uuid()::text, '-', '');

do $$
begin
    -- Not valid: rows from before have none, and looking would read the table.
    alter table notify.ent_notification
        add constraint ent_notification_delivery_key_form check (delivery_key ~ '^[0-9a-f]{32}$') not valid;
exception
    when duplicate_object then null;
end
$$;

comment on column notify.ent_notification.delivery_key is
    'Random, the row''s own: 32 hexadecimal digits. Null: from before there were keys; a claim gives it one.';
comment on column notify.ent_notification.transaction_base is
    'The transaction id of its first chunk at Novu, as its latest claim sends it. Null: never claimed since there are keys.';
comment on column notify.ent_notification.awaits_answer is
    'A claim has been made, and what Novu answered to it is not recorded yet.';
comment on column notify.ent_notification.in_doubt_since is
    'Since the last call that Novu did not answer: it may have taken the notification. Null: no such call, or settled.';
comment on column notify.ent_notification.doubtful_repeats is
    'How often it was sent again although an earlier call may have been taken: so often, at most, somebody got it twice.';
comment on column notify.ent_notification.idempotency_round is
    'How often Novu definitely refused a call: part of the next Idempotency-Key.';
comment on column notify.ent_notification.chunks_beyond is
    'Chunks of recipients that Novu has accepted after one that it has not: chunks_sent counts the leading ones.';
