"""Rows within rows: each embedded resource becomes a subquery that is joined to the row it stands in."""

from __future__ import annotations

from collections.abc import Sequence

from stack.edge.rest.catalogue import Catalogue, Table
from stack.edge.rest.errors import ambiguous_relationship, order_needs_one, relationship_not_found
from stack.edge.rest.identifiers import qualified, quote_identifier
from stack.edge.rest.negotiation import MAX_ROWS
from stack.edge.rest.relationships import Relationship
from stack.edge.rest.selection import Embed, OrderTerm
from stack.edge.rest.statements import Child, Parameters, Source, order_by, page, select_list, where


def with_children(
    source: Source,
    origin: tuple[str, str],
    embeds: Sequence[Embed],
    order: Sequence[OrderTerm],
    catalogue: Catalogue,
    parameters: Parameters,
    *,
    depth: int = 1,
) -> Source:
    """`source`, rows of the table `origin`, with what is embedded in them.

    Raises RestError: PGRST200 where no foreign key leads there, PGRST201 where several do, PGRST118 for an order by
    many.
    """
    children = tuple(_child(source, origin, embed, catalogue, parameters, depth) for embed in embeds)
    for term in order:
        for child in children:
            if term.relation in child.names and not child.is_to_one:
                raise order_needs_one(origin[1], child.output_name)
    return Source(source.name, source.columns, children)


def _child(
    parent: Source, origin: tuple[str, str], embed: Embed, catalogue: Catalogue, parameters: Parameters, depth: int
) -> Child:
    relationship = _relationship(origin, embed, catalogue)
    table = catalogue.tables[relationship.target]
    source = with_children(
        Source(quote_identifier(f"{table.name}_{depth}"), table.columns),
        relationship.target,
        embed.embeds,
        embed.order,
        catalogue,
        parameters,
        depth=depth + 1,
    )
    origins, joined = _joined(relationship, table, source, parent, depth)
    limit = MAX_ROWS if embed.limit is None else min(embed.limit, MAX_ROWS)
    rows = (
        f"select {select_list(embed.selection, source, parameters)} from {origins}"
        f"{where(embed.conditions, source, parameters, joined)}"
        f"{order_by(embed.order, source, parameters)}{page(limit, embed.offset, parameters)}"
    )
    return Child(
        embed.name,
        embed.alias,
        rows,
        table.columns,
        is_to_one=relationship.is_to_one,
        is_required=embed.is_inner,
        is_shown=embed.shows_something,
    )


def _relationship(origin: tuple[str, str], embed: Embed, catalogue: Catalogue) -> Relationship:
    schema, name = origin
    leading = [found for found in catalogue.relationships.get(origin, ()) if found.target[0] == schema]
    meant = [found for found in leading if found.answers_to(embed.name, embed.hint)]
    if len(meant) == 1:
        return meant[0]
    if meant:
        hints = [f"'{found.target[1]}!{found.hint}'" for found in meant]
        raise ambiguous_relationship(name, embed.name, hints, [found.described() for found in meant])
    raise relationship_not_found(schema, name, embed.name, embed.hint, [found.target[1] for found in leading])


def _joined(
    relationship: Relationship, table: Table, source: Source, parent: Source, depth: int
) -> tuple[str, list[str]]:
    """What the rows are selected from, and what joins them to their parent."""
    origins = f"{qualified(table.schema, table.name)} as {source.name}"
    if relationship.junction is None:
        return origins, [f"{source.column(other)} = {parent.column(own)}" for own, other in relationship.columns]
    junction = relationship.junction
    between = Source(quote_identifier(f"{junction.table[1]}_{depth}_between"), {})
    return f"{origins}, {qualified(*junction.table)} as {between.name}", [
        *(f"{between.column(own)} = {parent.column(other)}" for own, other in junction.to_origin.columns),
        *(f"{between.column(own)} = {source.column(other)}" for own, other in junction.to_target.columns),
    ]
