"""What the exposed schemas contain: tables with their columns, functions with their arguments.

The same things PostgREST keeps in its schema cache. Type names and default expressions are SQL as PostgreSQL wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from stack.edge.rest.relationships import Relationship


@dataclass(frozen=True)
class Column:
    """`declared_type` keeps length and domain, for writing; `base_type` is what an operator compares with."""

    name: str
    declared_type: str
    base_type: str
    default_expression: str | None


@dataclass(frozen=True)
class Table:
    schema: str
    name: str
    columns: Mapping[str, Column]
    primary_key: tuple[str, ...]


@dataclass(frozen=True)
class Argument:
    name: str
    type_name: str
    required: bool


class Returns(Enum):
    """The shape of a function's answer, which decides the shape of the JSON."""

    VOID = "void"
    SCALAR = "scalar"
    SCALAR_SET = "scalar set"
    ROW = "row"
    ROW_SET = "row set"


@dataclass(frozen=True)
class Function:
    schema: str
    name: str
    arguments: tuple[Argument, ...]
    returns: Returns
    return_type: str
    result_columns: Mapping[str, Column]
    result_table: tuple[str, str] | None
    """Schema and name of the table whose rows it returns, if it returns such."""
    volatile: bool

    @property
    def signature(self) -> str:
        listed = ", ".join(f"{argument.name} => {argument.type_name}" for argument in self.arguments)
        return f"{self.schema}.{self.name}({listed})"

    def accepts(self, names: frozenset[str]) -> bool:
        """Whether a call with exactly these named arguments is possible."""
        known = {argument.name for argument in self.arguments}
        required = {argument.name for argument in self.arguments if argument.required}
        return required <= names <= known


@dataclass(frozen=True)
class Catalogue:
    tables: Mapping[tuple[str, str], Table]
    functions: Mapping[tuple[str, str], tuple[Function, ...]]
    relationships: Mapping[tuple[str, str], tuple[Relationship, ...]]
    """By the table they lead away from."""

    def table_names(self, schema: str) -> list[str]:
        return [name for table_schema, name in self.tables if table_schema == schema]

    def function_names(self, schema: str) -> list[str]:
        return [name for function_schema, name in self.functions if function_schema == schema]
