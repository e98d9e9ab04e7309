"""What our programs import comes sooner, and nothing of how garbage is looked for stays changed."""

import gc
import importlib.util
import subprocess
import sys

import pytest


@pytest.mark.parametrize("program", ["cli", "functions", "listener", "worker"])
def test_each_of_our_programs_looks_for_garbage_as_ever_once_it_has_started(program: str) -> None:
    script = (
        "import gc\n"
        "before = gc.get_threshold()\n"
        f"import {program}\n"
        "during = gc.get_threshold()\n"
        "import httpx\n"
        "from shared import importing\n"
        "importing.done()\n"
        "import sys\n"
        "print(during[0] > before[0], gc.get_threshold() == before, gc.get_freeze_count() > 0, 'rich' in sys.modules)"
    )

    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert said.split() == ["True", "True", "True", "False"]


def test_to_import_it_once_more_as_a_workflow_s_sandbox_does_changes_nothing() -> None:
    before = gc.get_threshold()

    spec = importlib.util.find_spec("shared.importing")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))

    assert gc.get_freeze_count() > 0
    assert gc.get_threshold() == before
