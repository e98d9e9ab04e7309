""".env.example names every setting with its default, and nothing else."""

import re
from pathlib import Path

from shared.settings import DaemonSettings
from tests.unit.test_docs_configuration import DOCUMENT, settings_in_use, variables_of

LINES = (Path(__file__).parents[2] / ".env.example").read_text().splitlines()

UNSET = ("required", "none", "None")


def test_it_has_every_setting_with_its_default_and_no_other() -> None:
    ours = {setting.variables[0]: setting.default for setting in settings_in_use()}
    temporals = set(re.findall(r"`(TEMPORAL_[A-Z_]+)`", DOCUMENT.read_text()))
    wanted = {
        **dict.fromkeys(temporals, ""),
        **{name: "" if default in UNSET else default for name, default in ours.items()},
    }

    listed = dict(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=(.*)$", "\n".join(LINES), re.MULTILINE))

    assert listed == wanted


def test_what_is_not_commented_out_is_what_the_daemon_needs() -> None:
    required = {variables_of(name, it)[0] for name, it in DaemonSettings.model_fields.items() if it.is_required()}

    assert {line.removesuffix("=") for line in LINES if line and not line.startswith("#")} == required
