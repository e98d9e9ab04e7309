"""What axe-core finds on a page, as a reader with a narrow or a wide window sees it, in light and in dark."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.chromium import Page

PROJECT = Path(__file__).parents[2]
AXE_CORE = PROJECT / "build" / "axe_core" / "node_modules" / "axe-core" / "axe.min.js"

LOOKS = [(width, dark) for width in (360, 1280) for dark in (False, True)]

# Frames hold others' mail, and run no script.
_OPTIONS = {"iframes": False, "resultTypes": ["violations"], "rules": {"target-size": {"enabled": True}}}


def axe_core() -> str:
    """Its source; skips where it is not installed."""
    if not AXE_CORE.is_file():
        pytest.skip("axe-core is not there: tests/integration/axe_core/get_axe_core")
    return AXE_CORE.read_text()


async def findings(page: Page, source: str) -> list[str]:
    """All that it objects to on the page that is open, in every look."""
    await page.evaluate(f"{source}; void 0")
    found = []
    for width, dark in LOOKS:
        await page.show_as(width, 800, dark=dark)
        answer = await page.evaluate(f"axe.run(document, {json.dumps(_OPTIONS)}).then(it => it.violations)")
        found += [f"{width} px, {'dark' if dark else 'light'}: {_told(violation)}" for violation in answer]
    return found


def _told(violation: dict[str, Any]) -> str:
    nodes = [f"{node['html'][:200]} ({node['failureSummary']})" for node in violation["nodes"][:3]]
    return f"{violation['id']}: {violation['help']}: {'; '.join(nodes)}"
