"""docs/error_codes.md lists every code that a row can fail with, and no other."""

import re
from pathlib import Path

from shared.notification.outcomes import RefusalCode
from shared.process_lifecycle import EXIT_BAD_SETTINGS, EXIT_FAILED

DOCUMENT = Path(__file__).parents[2] / "docs" / "error_codes.md"


def test_every_code_has_its_line_and_every_line_its_code() -> None:
    lines = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", DOCUMENT.read_text(), re.MULTILINE)

    assert sorted(lines) == sorted(code.value for code in RefusalCode)


def test_the_exit_codes_are_the_real_ones() -> None:
    text = DOCUMENT.read_text()

    assert f"code {EXIT_BAD_SETTINGS} for its settings, {EXIT_FAILED} for anything else" in text
