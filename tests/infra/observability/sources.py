"""The sources, read and checked as far as their shape goes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

ROOT = Path(__file__).parents[3]
MODULE = ROOT / "infra" / "terraform" / "modules" / "observability"
GENERATED = ROOT / "infra" / "observability"
RUNBOOK = ROOT / "docs" / "runbook.md"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Alert(_Strict):
    """An alert; the fields are explained at the head of alerts.yaml. `expr` is None for the uptime check's."""

    name: str = Field(pattern=r"^[a-z_]+$")
    title: str = Field(max_length=80)
    severity: str = Field(pattern="^(critical|warning)$")
    expr: str | None = None
    holds_for: str = Field(alias="for", pattern=r"^\d+s$")
    who: str
    only: str | None = Field(None, pattern="^google_cloud$")
    condition: str | None = Field(
        None, alias="if", pattern="^(autoscaled|autoscale_function|minimum_instances|several_listeners)$"
    )


class Query(_Strict):
    """A line of a tile: named by `name`, or by its label `legend`."""

    expr: str
    name: str | None = None
    legend: str | None = None


class Tile(_Strict):
    """A tile of the dashboard; the fields are explained at the head of dashboard.yaml."""

    title: str
    kind: str = Field(pattern="^(line|area|figure)$")
    unit: str
    queries: list[Query] = Field(min_length=1)
    red: float | None = None
    red_below: float | None = None
    only: str | None = Field(None, pattern="^(google_cloud|prometheus)$")


class Section(_Strict):
    """A question, and the tiles that answer it."""

    title: str
    tiles: list[Tile] = Field(min_length=1)

    def on(self, where: str) -> "Section":
        """With the tiles that are made there."""
        return Section(title=self.title, tiles=[tile for tile in self.tiles if tile.only in (None, where)])


class Dashboard(_Strict):
    """The whole of it, top to bottom."""

    title: str
    sections: list[Section]


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, and where it stands."""

    where: str
    expr: str


def alerts() -> list[Alert]:
    """In the order of the file."""
    return [Alert.model_validate(entry) for entry in read_list(MODULE / "alerts.yaml", "alerts")]


def dashboard() -> Dashboard:
    """The one dashboard."""
    return Dashboard.model_validate(yaml.safe_load((MODULE / "dashboard.yaml").read_text()))


def queries() -> list[Asked]:
    """Every query of alerts and dashboard."""
    of_alerts = [Asked(f"alert {alert.name}", alert.expr) for alert in alerts() if alert.expr]
    of_tiles = [
        Asked(f"tile {tile.title}", query.expr)
        for section in dashboard().sections
        for tile in section.tiles
        for query in tile.queries
    ]
    return of_alerts + of_tiles


def read_list(file: Path, key: str) -> list[dict[str, Any]]:
    """The list that is all the file holds."""
    found = yaml.safe_load(file.read_text())
    assert list(found) == [key], f"{file.name} holds {key} and nothing else"
    entries: list[dict[str, Any]] = found[key]
    return entries
