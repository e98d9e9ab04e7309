"""The doorbell over Supabase Realtime's `postgres_changes`: an adapter of the port RowChangeFeed."""
