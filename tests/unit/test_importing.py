"""What our programs import comes sooner, and nothing of how garbage is looked for stays changed."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("program", ["cli", "functions", "listener", "worker.__main__"])
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


def test_no_workflow_imports_it() -> None:
    script = "import worker.registry, sys; print('shared.importing' in sys.modules)"

    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert said == "False\n"
