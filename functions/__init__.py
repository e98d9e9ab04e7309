"""HTTP: health, status, and having a notification sent. One image; FUNCTION_TARGET chooses the function."""

from shared import importing  # noqa: F401 - before all else
