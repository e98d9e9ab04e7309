"""Reading the catalogue from PostgreSQL's own, as the role that serves requests.

Type names come from `format_type` under an empty search path, so they are qualified and quoted by PostgreSQL itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from stack.edge.rest.catalogue import Argument, Catalogue, Column, Function, Returns, Table
from stack.edge.rest.relationships import ForeignKey, relationships_of

# A domain compares as the type it is built on, through any number of domains.
_BASE_TYPES = """
    base_types as (
        with recursive chain(type_oid, base_oid) as (
            select oid, case typtype when 'd' then typbasetype else oid end from pg_catalog.pg_type
            union all
            select chain.type_oid, base.typbasetype
            from chain join pg_catalog.pg_type base on base.oid = chain.base_oid
            where base.typtype = 'd'
        )
        select chain.type_oid, pg_catalog.format_type(chain.base_oid, -1) as base_type
        from chain join pg_catalog.pg_type base on base.oid = chain.base_oid
        where base.typtype <> 'd'
    )
"""

_COLUMNS = f"""
    with {_BASE_TYPES}
    select relation.oid as relation_oid, namespace.nspname as schema_name, relation.relname as table_name,
           relation.relkind <> 'c' as is_table, attribute.attname as column_name,
           pg_catalog.format_type(attribute.atttypid, attribute.atttypmod) as declared_type,
           base_types.base_type,
           case
               when attribute.attidentity <> '' then
                   pg_catalog.format('nextval(%L::regclass)', sequence.objid::regclass::text)
               when attribute.attgenerated = '' then pg_catalog.pg_get_expr(definition.adbin, definition.adrelid)
           end as default_expression,
           coalesce(pg_catalog.array_position(key.indkey::int2[], attribute.attnum), -1) as key_position
    from pg_catalog.pg_attribute attribute
    join pg_catalog.pg_class relation on relation.oid = attribute.attrelid
    join pg_catalog.pg_namespace namespace on namespace.oid = relation.relnamespace
    join base_types on base_types.type_oid = attribute.atttypid
    left join pg_catalog.pg_attrdef definition
        on definition.adrelid = attribute.attrelid and definition.adnum = attribute.attnum
    left join pg_catalog.pg_depend sequence
        on sequence.refclassid = 'pg_class'::regclass and sequence.refobjid = attribute.attrelid
        and sequence.refobjsubid = attribute.attnum and sequence.classid = 'pg_class'::regclass
        and sequence.deptype = 'i'
    left join pg_catalog.pg_index key on key.indrelid = relation.oid and key.indisprimary
    where namespace.nspname = any($1) and relation.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
        and attribute.attnum > 0 and not attribute.attisdropped
    order by relation.oid, attribute.attnum
"""

# Only functions that can be called by argument names; trigger functions cannot be called at all.
_FUNCTIONS = f"""
    with {_BASE_TYPES}
    select namespace.nspname as schema_name, routine.proname as function_name,
           routine.proargnames as argument_names,
           coalesce(routine.proargmodes, '{{}}')::text[] as argument_modes,
           array(
               select pg_catalog.format_type(argument.type_oid, -1)
               from pg_catalog.unnest(coalesce(routine.proallargtypes, routine.proargtypes::oid[]))
                   with ordinality as argument(type_oid, position)
               order by argument.position
           ) as argument_types,
           array(
               select base_types.base_type
               from pg_catalog.unnest(coalesce(routine.proallargtypes, routine.proargtypes::oid[]))
                   with ordinality as argument(type_oid, position)
               join base_types on base_types.type_oid = argument.type_oid
               order by argument.position
           ) as argument_base_types,
           routine.pronargs as input_count, routine.pronargdefaults as default_count,
           routine.proretset as returns_set, result.typtype = 'c' as returns_composite,
           pg_catalog.format_type(routine.prorettype, -1) as return_type,
           result.typrelid as return_relation, routine.provolatile = 'v' as is_volatile
    from pg_catalog.pg_proc routine
    join pg_catalog.pg_namespace namespace on namespace.oid = routine.pronamespace
    join pg_catalog.pg_type result on result.oid = routine.prorettype
    where namespace.nspname = any($1) and routine.prokind = 'f' and routine.provariadic = 0
        and routine.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
    order by routine.oid
"""

_FOREIGN_KEYS = """
    select key.conname as constraint_name, own_schema.nspname as schema_name, own.relname as table_name,
           other_schema.nspname as target_schema, other.relname as target_name,
           array(
               select array[own_column.attname::text, other_column.attname::text]
               from rows from (pg_catalog.unnest(key.conkey), pg_catalog.unnest(key.confkey))
                   with ordinality as pair(own, other, position)
               join pg_catalog.pg_attribute own_column
                   on own_column.attrelid = key.conrelid and own_column.attnum = pair.own
               join pg_catalog.pg_attribute other_column
                   on other_column.attrelid = key.confrelid and other_column.attnum = pair.other
               order by pair.position
           ) as column_pairs,
           exists (
               select from pg_catalog.pg_constraint single
               where single.conrelid = key.conrelid and single.contype in ('p', 'u')
                   and single.conkey @> key.conkey and single.conkey <@ key.conkey
           ) as is_unique
    from pg_catalog.pg_constraint key
    join pg_catalog.pg_class own on own.oid = key.conrelid
    join pg_catalog.pg_namespace own_schema on own_schema.oid = own.relnamespace
    join pg_catalog.pg_class other on other.oid = key.confrelid
    join pg_catalog.pg_namespace other_schema on other_schema.oid = other.relnamespace
    where key.contype = 'f' and key.conparentid = 0 and own_schema.nspname = any($1) and other_schema.nspname = any($1)
    order by own_schema.nspname, own.relname, key.conname
"""

_OUTPUT_MODES = frozenset({"o", "b", "t"})
_INPUT_MODES = frozenset({"i", "b"})


async def read_catalogue(connection: PoolConnectionProxy[asyncpg.Record], schemas: Sequence[str]) -> Catalogue:
    """Read the catalogue of `schemas`. Raises what asyncpg raises when the database is away."""
    async with connection.transaction(readonly=True):
        await connection.execute("set local search_path = ''")
        column_rows = await connection.fetch(_COLUMNS, list(schemas))
        function_rows = await connection.fetch(_FUNCTIONS, list(schemas))
        key_rows = await connection.fetch(_FOREIGN_KEYS, list(schemas))
    relations = _tables(column_rows)
    tables = {(table.schema, table.name): table for table, is_table in relations.values() if is_table}
    functions: dict[tuple[str, str], tuple[Function, ...]] = {}
    for row in function_rows:
        function = _function(row, relations)
        if function is not None:
            key = (function.schema, function.name)
            functions[key] = (*functions.get(key, ()), function)
    primary_keys = {name: frozenset(table.primary_key) for name, table in tables.items()}
    return Catalogue(tables, functions, relationships_of([_foreign_key(row) for row in key_rows], primary_keys))


def _foreign_key(row: Any) -> ForeignKey:
    return ForeignKey(
        row["constraint_name"],
        (row["schema_name"], row["table_name"]),
        (row["target_schema"], row["target_name"]),
        tuple((own, other) for own, other in row["column_pairs"]),
        row["is_unique"],
    )


def _tables(rows: Sequence[Any]) -> dict[int, tuple[Table, bool]]:
    grouped: dict[int, list[Any]] = {}
    for row in rows:
        grouped.setdefault(row["relation_oid"], []).append(row)
    relations: dict[int, tuple[Table, bool]] = {}
    for relation_oid, column_rows in grouped.items():
        columns = {
            row["column_name"]: Column(
                row["column_name"], row["declared_type"], row["base_type"], row["default_expression"]
            )
            for row in column_rows
        }
        keys = sorted((row["key_position"], row["column_name"]) for row in column_rows if row["key_position"] >= 0)
        first = column_rows[0]
        table = Table(first["schema_name"], first["table_name"], columns, tuple(name for _, name in keys))
        relations[relation_oid] = (table, first["is_table"])
    return relations


def _function(row: Any, relations: Mapping[int, tuple[Table, bool]]) -> Function | None:
    types: list[str] = row["argument_types"]
    names: list[str] = row["argument_names"] or [""] * len(types)
    modes: list[str] = row["argument_modes"] or ["i"] * len(types)
    inputs = [(name, type_) for name, type_, mode in zip(names, types, modes, strict=True) if mode in _INPUT_MODES]
    if any(not name for name, _ in inputs):
        return None
    required_count = row["input_count"] - row["default_count"]
    arguments = tuple(Argument(name, type_, position < required_count) for position, (name, type_) in enumerate(inputs))
    outputs = {
        name: Column(name, type_, base_type, None)
        for name, type_, base_type, mode in zip(names, types, row["argument_base_types"], modes, strict=True)
        if mode in _OUTPUT_MODES
    }
    result_table: tuple[str, str] | None = None
    if row["return_relation"] in relations:
        returned, is_table = relations[row["return_relation"]]
        outputs = dict(returned.columns)
        result_table = (returned.schema, returned.name) if is_table else None
    return Function(
        row["schema_name"],
        row["function_name"],
        arguments,
        _returns(row, len(outputs)),
        row["return_type"],
        outputs,
        result_table,
        row["is_volatile"],
    )


def _returns(row: Any, output_count: int) -> Returns:
    if row["return_type"] == "void":
        return Returns.VOID
    composite = row["returns_composite"] or (row["return_type"] == "record" and output_count > 0)
    if row["returns_set"]:
        return Returns.ROW_SET if composite else Returns.SCALAR_SET
    return Returns.ROW if composite else Returns.SCALAR
