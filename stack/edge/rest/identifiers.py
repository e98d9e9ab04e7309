"""Names as SQL identifiers. Nothing a client sends reaches SQL text unless it went through here."""

from __future__ import annotations

from stack.edge.rest.errors import RestError


def quote_identifier(name: str) -> str:
    """`name` as a quoted SQL identifier, inert whatever it contains.

    Raises RestError for the one character that ends a statement on the wire, NUL.
    """
    if "\0" in name:
        raise RestError(400, "PGRST100", "A name may not contain the NUL character")
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """`text`, read from the catalogue, as an SQL literal. Values that clients send are parameters instead."""
    return "'" + text.replace("'", "''") + "'" if "\\" not in text else _quote_escaped_literal(text)


def _quote_escaped_literal(text: str) -> str:
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def qualified(schema: str, name: str) -> str:
    return f"{quote_identifier(schema)}.{quote_identifier(name)}"
