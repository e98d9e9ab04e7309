"""`xnovu trace`: where one notification stands, and what it waits for."""

from cli.trace.command import trace

__all__ = ["trace"]
