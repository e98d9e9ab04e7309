"""Imported by each of our programs before all else, so that what it imports is there a quarter sooner."""

import gc
import sys

# Its command line, nobody's here, would bring Click and Rich. httpx itself expects that it may be missing.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

_PYTHONS_OWN = gc.get_threshold()

if not gc.get_freeze_count():  # but not when a workflow's sandbox imports this once more
    gc.set_threshold(100_000, *_PYTHONS_OWN[1:])  # what is imported stays: to look for garbage among it is in vain


def done() -> None:
    """From now on garbage is looked for as ever, but not among what was imported."""
    gc.freeze()
    gc.set_threshold(*_PYTHONS_OWN)
