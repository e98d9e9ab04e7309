"""The sink's own interface under /_sink: settings, faults, and what really happened."""
