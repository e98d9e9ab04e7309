"""Workflows, templates and rules as files: `xnovu apply`, `export`, and what lists and shows them (docs/files.md)."""
