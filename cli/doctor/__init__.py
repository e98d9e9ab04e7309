"""`xnovu doctor`: everything XNovu needs, tried once."""

from cli.doctor.command import app

__all__ = ["app"]
