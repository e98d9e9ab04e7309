"""The dashboards are what Google's API and Grafana take, and answer the four questions in their order."""

import itertools
import json
from typing import Any

import pytest
from google.cloud.monitoring_dashboard_v1.types import Dashboard as GoogleDashboard
from google.protobuf import json_format

from tests.infra.observability.sources import GENERATED, MODULE, dashboard

QUESTIONS = ["Is it healthy?", "Is it keeping up?", "Who is affected?", "What does it cost?"]
GOOGLE = json.loads((MODULE / "dashboard.json").read_text())
GRAFANA = json.loads((GENERATED / "grafana_dashboard.json").read_text())


def google_rectangles() -> list[tuple[int, int, int, int]]:
    return [
        (tile.get("xPos", 0), tile.get("yPos", 0), tile["width"], tile["height"])
        for tile in GOOGLE["mosaicLayout"]["tiles"]
    ]


def grafana_rectangles() -> list[tuple[int, int, int, int]]:
    return [tuple(panel["gridPos"][side] for side in "xywh") for panel in GRAFANA["panels"]]


def test_googles_api_knows_every_field() -> None:
    parsed = GoogleDashboard()

    json_format.ParseDict(GOOGLE, GoogleDashboard.pb(parsed))

    tiles = parsed.mosaic_layout.tiles
    assert len(tiles) == len(QUESTIONS) + sum(len(section.on("google_cloud").tiles) for section in dashboard().sections)
    assert all(tile.widget.title for tile in tiles)
    assert len(tiles) <= 100, "Google Cloud takes no more widgets in a dashboard"


def test_googles_api_gives_back_what_it_was_given() -> None:
    """Or Terraform would find a difference for ever: the API leaves out zeros and empty texts."""
    parsed = json_format.ParseDict(GOOGLE, GoogleDashboard.pb(GoogleDashboard()))

    assert json_format.MessageToDict(parsed) == GOOGLE


def test_googles_api_refuses_a_field_that_it_does_not_know() -> None:
    wrong: dict[str, Any] = {"displayName": "x", "mosaicLayout": {"columns": 48, "tiles": [{"left": 0}]}}

    with pytest.raises(json_format.ParseError):
        json_format.ParseDict(wrong, GoogleDashboard.pb(GoogleDashboard()))


@pytest.mark.parametrize(("rectangles", "columns"), [(google_rectangles(), 48), (grafana_rectangles(), 24)])
def test_no_tile_lies_on_another_or_outside(rectangles: list[tuple[int, int, int, int]], columns: int) -> None:
    assert all(x >= 0 and width > 0 and x + width <= columns for x, _, width, _ in rectangles)
    for (x, y, width, height), (other_x, other_y, other_width, other_height) in itertools.combinations(rectangles, 2):
        is_beside = x + width <= other_x or other_x + other_width <= x
        is_above = y + height <= other_y or other_y + other_height <= y
        assert is_beside or is_above


def test_the_questions_stand_in_their_order() -> None:
    of_google = [
        tile["widget"]["title"] for tile in GOOGLE["mosaicLayout"]["tiles"] if "sectionHeader" in tile["widget"]
    ]
    of_grafana = [panel["title"] for panel in GRAFANA["panels"] if panel["type"] == "row"]

    assert of_google == of_grafana == QUESTIONS


def test_grafana_can_tell_the_panels_apart_and_asks_one_data_source() -> None:
    panels = [panel for panel in GRAFANA["panels"] if panel["type"] != "row"]

    assert len({panel["id"] for panel in GRAFANA["panels"]}) == len(GRAFANA["panels"])
    assert {panel["datasource"]["uid"] for panel in panels} == {"${source}"}
    assert [variable["name"] for variable in GRAFANA["templating"]["list"]] == ["source"]
    for panel in panels:
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
