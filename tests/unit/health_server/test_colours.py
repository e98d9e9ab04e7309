"""What is written on the status page can be read: WCAG's contrast of 4.5 for text, in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_CSS = Path(__file__).parents[3] / "cli" / "health_server" / "templates" / "status.css"
_TEXT = ("ink", "soft", "healthy", "degraded", "unhealthy", "one", "two")


def _schemes() -> dict[str, dict[str, str]]:
    """The colours of each scheme, by name; the dark ones come second."""
    css = _CSS.read_text(encoding="utf-8")
    light, dark = css.split("prefers-color-scheme: dark", 1)
    return {name: dict(re.findall(r"--(\w+): (#\w+);", part)) for name, part in (("light", light), ("dark", dark))}


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_page_and_card(scheme: str) -> None:
    colours = _schemes()[scheme]

    contrasts = {(text, on): _contrast(colours[text], colours[on]) for text in _TEXT for on in ("page", "card")}

    assert {pair: ratio for pair, ratio in contrasts.items() if ratio < 4.5} == {}
