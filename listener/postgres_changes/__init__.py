"""Rings by `postgres_changes`: rows of notify.doorbell that are inserted."""
