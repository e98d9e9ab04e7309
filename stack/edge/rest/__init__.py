"""The REST half of the edge: what PostgREST answers to supabase-py, and a loud 501 for the rest."""
