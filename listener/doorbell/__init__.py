"""The doorbell over Supabase Realtime: an adapter of the port RowChangeFeed, whichever way the rings are carried."""
