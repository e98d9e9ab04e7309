"""What became of events: notifications, their jobs, and messages."""
