"""`xnovu novu`: keeps Novu's workflows in step with our workflow rows (docs/novu.md)."""

from cli.novu.command import app

__all__ = ["app"]
