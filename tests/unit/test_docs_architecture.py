"""docs/architecture.md names every place that somebody who adds something has to see to."""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
DOCUMENT = (PROJECT / "docs" / "architecture.md").read_text()


def _section(title: str) -> str:
    return DOCUMENT.partition(f"### {title}\n")[2].partition("\n### ")[0]


def test_whoever_adds_a_channel_is_led_to_every_file_that_tells_channels_apart() -> None:
    folders = ("functions", "listener", "shared", "worker", "cli")
    sources = (path for folder in folders for path in (PROJECT / folder).rglob("*.py") if path.parts[-2] != "demo")
    telling = {
        str(path.relative_to(PROJECT))
        for path in sources
        if re.search(r"\bPUSH = |Channel\.PUSH|\"PUSH\"", path.read_text())
    }

    assert len(telling) > 5
    assert {file for file in telling if f"`{file}`" not in _section("a channel")} == set()


def test_whoever_adds_a_feed_is_led_to_where_ways_are_told_apart() -> None:
    sources = (path for folder in ("listener", "shared") for path in (PROJECT / folder).rglob("*.py"))
    naming = {str(path.relative_to(PROJECT)) for path in sources if "FeedWay.BROADCAST" in path.read_text()}

    assert naming
    assert {file for file in naming if f"`{file}`" not in _section("a feed")} == set()
