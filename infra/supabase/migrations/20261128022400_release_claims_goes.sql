-- Nothing calls it: a worker that cannot go on puts its rows off (hold_claims), or leaves them until their lease lapses.

drop function if exists notify.release_claims(text, text, bigint[]);
drop function if exists notify.release_rows(text, text, bigint[]);
