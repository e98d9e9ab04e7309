"""The dashboard as Google Cloud's Dashboard API takes it; Terraform puts names in the ${...}.

The API gives back no field that is zero or empty, and Terraform compares what it gave with what it got: so none is
written.
"""

import json
from typing import Any

from tests.infra.observability.grid import Grid, Place
from tests.infra.observability.sources import Query, Tile, dashboard

_GRID = Grid(columns=48, title_height=4, figure_height=8, graph_height=16)
_PLOTS = {"line": "LINE", "area": "STACKED_AREA"}


def render() -> str:
    """The file."""
    source = dashboard()
    sections = [section.on("google_cloud") for section in source.sections]
    layout = {
        "displayName": f"{source.title} (${{prefix}})",
        "mosaicLayout": {"columns": _GRID.columns, "tiles": [_tile(place) for place in _GRID.places(sections)]},
    }
    return json.dumps(without_zeros(layout), indent=2) + "\n"


def without_zeros(value: Any) -> Any:
    """What the API gives back of this: neither zeros nor empty texts."""
    if isinstance(value, dict):
        kept = {name: without_zeros(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each not in (0, "", False) or isinstance(each, float)}
    return [without_zeros(each) for each in value] if isinstance(value, list) else value


def _tile(place: Place) -> dict[str, Any]:
    return {
        "xPos": place.x,
        "yPos": place.y,
        "width": place.width,
        "height": place.height,
        "widget": _widget(place.tile)
        if place.tile
        else {"title": place.section.title, "sectionHeader": {"subtitle": "", "dividerBelow": True}},
    }


def _widget(tile: Tile) -> dict[str, Any]:
    if tile.kind != "figure":
        data = [_data_set(tile, query) for query in tile.queries]
        return {"title": tile.title, "xyChart": {"dataSets": data, "yAxis": {"label": tile.unit, "scale": "LINEAR"}}}
    scorecard: dict[str, Any] = {
        "timeSeriesQuery": {"prometheusQuery": tile.queries[0].expr},
        "sparkChartView": {"sparkChartType": "SPARK_LINE"},
    }
    if tile.red is not None:
        scorecard["thresholds"] = [{"value": tile.red, "color": "RED", "direction": "ABOVE"}]
    if tile.red_below is not None:
        scorecard["thresholds"] = [{"value": tile.red_below, "color": "RED", "direction": "BELOW"}]
    return {"title": f"{tile.title} ({tile.unit})" if tile.unit else tile.title, "scorecard": scorecard}


def _data_set(tile: Tile, query: Query) -> dict[str, Any]:
    found: dict[str, Any] = {
        "plotType": _PLOTS[tile.kind],
        "targetAxis": "Y1",
        "timeSeriesQuery": {"prometheusQuery": query.expr},
    }
    return {**found, "legendTemplate": query.name} if query.name else found
