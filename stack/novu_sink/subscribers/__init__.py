"""The people that an environment knows, and their addresses and credentials."""
