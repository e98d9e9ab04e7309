from shared import importing  # noqa: F401 - before all else
