"""`xnovu erase`: a person is taken out of every place, and each is read again."""

from cli.erase.command import erase

__all__ = ["erase"]
