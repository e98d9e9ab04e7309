"""Which rows belong to a row by foreign keys: what `select=*,workflow:ent_notification_workflow(*)` goes along."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

Name = tuple[str, str]
"""A table's schema and name."""
Pairs = tuple[tuple[str, str], ...]
"""Columns that are equal, one of each side."""


class Cardinality(Enum):
    MANY_TO_ONE = "many-to-one"
    ONE_TO_MANY = "one-to-many"
    ONE_TO_ONE = "one-to-one"
    MANY_TO_MANY = "many-to-many"


@dataclass(frozen=True)
class ForeignKey:
    """`columns` are pairs of the table's own and of the target's; `is_unique` where a row has at most one."""

    constraint: str
    table: Name
    target: Name
    columns: Pairs
    is_unique: bool


@dataclass(frozen=True)
class Junction:
    """The table in the middle, its key to the origin and its key to the target."""

    table: Name
    to_origin: ForeignKey
    to_target: ForeignKey


@dataclass(frozen=True)
class Relationship:
    """From `origin` to `target`. `columns` are pairs of the origin's and the target's; a junction has its own."""

    origin: Name
    target: Name
    cardinality: Cardinality
    constraint: str
    columns: Pairs
    junction: Junction | None = None

    @property
    def is_to_one(self) -> bool:
        return self.cardinality in {Cardinality.MANY_TO_ONE, Cardinality.ONE_TO_ONE}

    @property
    def hint(self) -> str:
        """What tells it from others of the same two tables."""
        return self.junction.table[1] if self.junction else self.constraint

    def described(self) -> dict[str, str]:
        """As PGRST201 lists it."""
        return {
            "cardinality": self.cardinality.value,
            "embedding": f"{self.origin[1]} with {self.target[1]}",
            "relationship": self._keys(),
        }

    def _keys(self) -> str:
        if self.junction:
            first, second = self.junction.to_origin, self.junction.to_target
            return (
                f"{self.junction.table[1]} using {first.constraint}{_listed(own for own, _ in first.columns)}"
                f" and {second.constraint}{_listed(own for own, _ in second.columns)}"
            )
        return (
            f"{self.constraint} using {self.origin[1]}{_listed(own for own, _ in self.columns)}"
            f" and {self.target[1]}{_listed(other for _, other in self.columns)}"
        )

    def answers_to(self, target: str, hint: str | None) -> bool:
        """Whether `target` and `hint`, a client's words, mean this one."""
        named = target == self.target[1]
        if self.origin == self.target:
            if hint is None:
                to_many = named and self.cardinality is Cardinality.ONE_TO_MANY
                return to_many or (self.cardinality is Cardinality.MANY_TO_ONE and self._own_column() == target)
            return named and self.cardinality is Cardinality.ONE_TO_MANY and self._other_column() == hint
        if hint is None:
            return named or (self.junction is None and target in {self.constraint, self._own_column()})
        return named and hint in ({self.hint} if self.junction else self._hints())

    def _hints(self) -> set[str | None]:
        return {self.constraint, self._own_column(), self._other_column()}

    def _own_column(self) -> str | None:
        return self.columns[0][0] if len(self.columns) == 1 else None

    def _other_column(self) -> str | None:
        return self.columns[0][1] if len(self.columns) == 1 else None


def relationships_of(
    keys: Sequence[ForeignKey], primary_key: dict[Name, frozenset[str]]
) -> dict[Name, tuple[Relationship, ...]]:
    """All relationships that foreign keys make, in both directions and through junctions, by origin.

    A junction is a table whose primary key holds the columns of both of its foreign keys.
    """
    found: list[Relationship] = []
    for key in keys:
        one, many = (
            (Cardinality.ONE_TO_ONE, Cardinality.ONE_TO_ONE)
            if key.is_unique
            else (Cardinality.MANY_TO_ONE, Cardinality.ONE_TO_MANY)
        )
        turned = tuple((other, own) for own, other in key.columns)
        found.append(Relationship(key.table, key.target, one, key.constraint, key.columns))
        found.append(Relationship(key.target, key.table, many, key.constraint, turned))
    for first in keys:
        for second in keys:
            both = {own for key in (first, second) for own, _ in key.columns}
            if first != second and first.table == second.table and both <= primary_key.get(first.table, frozenset()):
                junction = Junction(first.table, first, second)
                found.append(Relationship(first.target, second.target, Cardinality.MANY_TO_MANY, "", (), junction))
    grouped: dict[Name, tuple[Relationship, ...]] = {}
    for relationship in found:
        grouped[relationship.origin] = (*grouped.get(relationship.origin, ()), relationship)
    return grouped


def _listed(columns: Iterable[str]) -> str:
    return f"({', '.join(columns)})"
