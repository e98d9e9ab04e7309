-- What a delivery keeps on its row. Nullable or defaulted: older writers go on working.

alter table notify.ent_notification
    add column if not exists claim_owner text,
    add column if not exists lease_expires_at timestamptz,
    add column if not exists attempts int not null default 0,
    add column if not exists deliver_before timestamptz,
    add column if not exists chunks_sent int not null default 0;

comment on column notify.ent_notification.claim_owner is
    'The workflow id that last claimed the row. It holds the row while the status is PROCESSING.';
comment on column notify.ent_notification.lease_expires_at is
    'Until when the claim keeps others off. Null once the outcome is recorded or the claim released.';
comment on column notify.ent_notification.attempts is 'How often the row was claimed.';
comment on column notify.ent_notification.deliver_before is 'Not sent after this instant: FAILED as expired instead.';
comment on column notify.ent_notification.chunks_sent is
    'How many leading chunks of recipients Novu has accepted; a later claim continues after them.';
