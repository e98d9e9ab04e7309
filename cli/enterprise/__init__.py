"""`xnovu enterprise`: who is known and served, and what each has of its own."""

from cli.enterprise import command, keep, settings

app = command.app
settings.add_to(app)
keep.add_to(app)

__all__ = ["app"]
