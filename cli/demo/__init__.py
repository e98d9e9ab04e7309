"""`xnovu demo`: the whole road on this machine, with a mixed load, checked row by row."""

from cli.demo.command import demo

__all__ = ["demo"]
