"""Imported by each of our programs before all else, so that what it imports is there a quarter sooner.

Never by what a workflow imports: its sandbox imports that anew for each workflow.
"""

import gc
import sys

# Its command line, nobody's here, would bring Click and Rich. httpx itself expects that it may be missing.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

_PYTHONS_OWN = gc.get_threshold()

gc.set_threshold(100_000, *_PYTHONS_OWN[1:])  # what is imported stays: to look for garbage among it is in vain


def done() -> None:
    """From now on garbage is looked for as ever, but not among what was imported."""
    gc.freeze()
    gc.set_threshold(*_PYTHONS_OWN)
