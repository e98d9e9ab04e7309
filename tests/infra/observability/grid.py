"""Tiles put on a grid: figures four to a row, graphs three, every section on rows of its own below its title."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.infra.observability.sources import Section, Tile

_A_ROW_HOLDS = {"figure": 4, "line": 3, "area": 3}


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle, in the grid's units; of a section's title if there is no tile."""

    x: int
    y: int
    width: int
    height: int
    section: Section
    tile: Tile | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """A dashboard's measures."""

    columns: int
    title_height: int
    figure_height: int
    graph_height: int

    def places(self, sections: Sequence[Section]) -> Iterator[Place]:
        """From top to bottom."""
        y = 0
        for section in sections:
            yield Place(0, y, self.columns, self.title_height, section)
            y += self.title_height
            for row in _rows(section.tiles):
                height = self.figure_height if row[0].kind == "figure" else self.graph_height
                width = self.columns // _A_ROW_HOLDS[row[0].kind]
                for index, tile in enumerate(row):
                    yield Place(index * width, y, width, height, section, tile)
                y += height


def _rows(tiles: Sequence[Tile]) -> Iterator[list[Tile]]:
    row: list[Tile] = []
    for tile in tiles:
        is_other_kind = row and (row[0].kind == "figure") != (tile.kind == "figure")
        if row and (is_other_kind or len(row) == _A_ROW_HOLDS[row[0].kind]):
            yield row
            row = []
        row.append(tile)
    if row:
        yield row
