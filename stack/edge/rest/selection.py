"""What is shown: columns and resources within, `select=id,workflow:ent_notification_workflow!inner(*)`; its order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from stack.edge.rest.conditions import Condition
from stack.edge.rest.errors import not_embedded, not_implemented
from stack.edge.rest.fields import Field, read_field, read_path
from stack.edge.rest.text_cursor import TextCursor

ALL_COLUMNS = "*"
_JOINS = ("inner", "left")


@dataclass(frozen=True)
class Selected:
    """One output column; the column `*` stands for all."""

    field: Field
    alias: str | None


@dataclass(frozen=True)
class OrderTerm:
    """`relation` names the embedded resource whose field it is, if any."""

    field: Field
    descending: bool
    nulls_first: bool | None
    relation: str | None = None


@dataclass(frozen=True)
class Embed:
    """A resource within another: `alias:name!hint!inner(selection)`, and the parameters that lead to it."""

    name: str
    alias: str | None
    hint: str | None
    is_inner: bool
    selection: tuple[Selected, ...]
    embeds: tuple[Embed, ...]
    conditions: tuple[Condition, ...] = ()
    order: tuple[OrderTerm, ...] = ()
    limit: int | None = None
    offset: int = 0

    @property
    def shows_something(self) -> bool:
        """`name()` is there to be filtered by, and not shown."""
        return bool(self.selection) or any(embed.shows_something for embed in self.embeds)


def parse_select(value: str) -> tuple[tuple[Selected, ...], tuple[Embed, ...]]:
    """The columns and the embedded resources that `value` lists. Raises RestError: PGRST100, or 501."""
    if not value:
        raise not_implemented("an empty select")
    cursor = TextCursor("select parameter", value)
    shown = _listed(cursor)
    cursor.expect_end()
    return shown


def changed(embeds: Sequence[Embed], path: Sequence[str], change: Callable[[Embed], Embed]) -> tuple[Embed, ...]:
    """`embeds` with the one that the names of `path` lead to changed. Raises RestError PGRST108 if there is none."""
    name, *rest = path
    for place, embed in enumerate(embeds):
        if name in {embed.name, embed.alias}:
            inner = replace(embed, embeds=changed(embed.embeds, rest, change)) if rest else change(embed)
            return (*embeds[:place], inner, *embeds[place + 1 :])
    raise not_embedded(name)


def _listed(cursor: TextCursor) -> tuple[tuple[Selected, ...], tuple[Embed, ...]]:
    items = [_item(cursor)]
    while cursor.take(","):
        items.append(_item(cursor))
    selection = tuple(item for item in items if isinstance(item, Selected))
    return selection, tuple(item for item in items if isinstance(item, Embed))


def _item(cursor: TextCursor) -> Selected | Embed:
    cursor.skip_blanks()
    if cursor.take(ALL_COLUMNS):
        cursor.skip_blanks()
        return Selected(Field(ALL_COLUMNS), None)
    if cursor.rest.startswith("..."):
        raise not_implemented(f"spread embedding ({cursor.rest})")
    name, alias = cursor.field_name(), None
    if cursor.rest.startswith(":") and not cursor.rest.startswith("::"):
        cursor.take(":")
        name, alias = cursor.field_name(), name
    if cursor.rest.startswith(("!", "(")) and not (name == "count" and cursor.rest.startswith("()")):
        return _embed(cursor, name, alias)
    field = Field(name, read_path(cursor))
    for sign, what in (("::", "casts"), (".", "aggregates"), ("()", "aggregates")):
        if cursor.rest.startswith(sign):
            raise not_implemented(f"{what} in select ({name}{cursor.rest})")
    cursor.skip_blanks()
    return Selected(field, alias)


def _embed(cursor: TextCursor, name: str, alias: str | None) -> Embed:
    hint, join = None, None
    while cursor.take("!"):
        word = cursor.field_name()
        if word in _JOINS:
            join = join or word
        else:
            hint = hint or word
    cursor.expect("(")
    selection, embeds = ((), ()) if cursor.rest.startswith(")") else _listed(cursor)
    cursor.expect(")")
    cursor.skip_blanks()
    return Embed(name, alias, hint, join == "inner", selection, embeds)


def parse_order(value: str) -> tuple[OrderTerm, ...]:
    """`order=name.desc.nullslast,workflow(name)`. Raises RestError PGRST100."""
    cursor = TextCursor("order", value)
    terms = [_order_term(cursor)]
    while cursor.take(","):
        terms.append(_order_term(cursor))
    cursor.expect_end()
    return tuple(terms)


def _order_term(cursor: TextCursor) -> OrderTerm:
    cursor.skip_blanks()
    field, relation = read_field(cursor), None
    if not field.path and cursor.take("("):
        field, relation = read_field(cursor), field.column
        cursor.expect(")")
    descending = cursor.take(".desc")
    if not descending:
        cursor.take(".asc")
    nulls_first: bool | None = None
    if cursor.take(".nullsfirst"):
        nulls_first = True
    elif cursor.take(".nullslast"):
        nulls_first = False
    cursor.skip_blanks()
    if not cursor.at_end and not cursor.rest.startswith(","):
        raise cursor.error('"asc", "desc", "nullsfirst" or "nullslast"')
    return OrderTerm(field, descending, nulls_first, relation)
