"""`xnovu deploy`: which build of the workers gets the work, where workers are versioned (docs/versioning.md)."""

from cli.deploy.command import app

__all__ = ["app"]
