"""Supabase Realtime's Postgres Changes as the real server speaks them, from a real logical replication slot."""
