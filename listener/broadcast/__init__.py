"""Rings by broadcast from the database: messages that realtime.send has written."""
