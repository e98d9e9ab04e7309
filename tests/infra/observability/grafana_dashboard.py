"""The dashboard for Grafana, on a data source of the kind Prometheus that scrapes /metrics."""

import json
from collections.abc import Callable
from typing import Any

from tests.infra.observability.grid import Grid, Place
from tests.infra.observability.promql import label, translate
from tests.infra.observability.sources import Tile, dashboard

_GRID = Grid(columns=24, title_height=1, figure_height=4, graph_height=8)
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_UNITS = {"s": "s", "By": "bytes", "": "none"}


def render(name_of: Callable[[str], str]) -> str:
    """The file. Raises KeyError for a series that the program does not have."""
    source = dashboard()
    sections = [section.on("prometheus") for section in source.sections]
    panels = [_panel(number, place, name_of) for number, place in enumerate(_GRID.places(sections), start=1)]
    return (
        json.dumps(
            {
                "uid": "xnovu",
                "title": source.title,
                "tags": ["xnovu"],
                "schemaVersion": 39,
                "refresh": "30s",
                "time": {"from": "now-6h", "to": "now"},
                "templating": {
                    "list": [{"name": "source", "label": "Source", "type": "datasource", "query": "prometheus"}]
                },
                "panels": panels,
            },
            indent=2,
        )
        + "\n"
    )


def _panel(number: int, place: Place, name_of: Callable[[str], str]) -> dict[str, Any]:
    position = {"x": place.x, "y": place.y, "w": place.width, "h": place.height}
    if place.tile is None:
        row = {"type": "row", "title": place.section.title, "collapsed": False, "panels": []}
        return {"id": number, "gridPos": position, **row}
    tile = place.tile
    targets = [
        {
            "refId": chr(ord("A") + index),
            "datasource": _SOURCE,
            "expr": translate(query.expr, name_of),
            "legendFormat": query.name or (f"{{{{{label(query.legend)}}}}}" if query.legend else tile.title),
        }
        for index, query in enumerate(tile.queries)
    ]
    return {
        "id": number,
        "gridPos": position,
        "type": "stat" if tile.kind == "figure" else "timeseries",
        "title": tile.title,
        "datasource": _SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": _defaults(tile), "overrides": []},
        **({"options": {"reduceOptions": {"calcs": ["lastNotNull"]}}} if tile.kind == "figure" else {}),
    }


def _defaults(tile: Tile) -> dict[str, Any]:
    defaults: dict[str, Any] = {"unit": _UNITS.get(tile.unit, f"suffix: {tile.unit}")}
    if tile.kind == "area":
        defaults["custom"] = {"fillOpacity": 40, "stacking": {"mode": "normal", "group": "A"}}
    if tile.red is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": tile.red}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    if tile.red_below is not None:
        steps = [{"color": "red", "value": None}, {"color": "green", "value": tile.red_below}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    return defaults
