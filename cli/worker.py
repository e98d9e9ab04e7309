"""`xnovu worker`: what a worker's container runs."""

from worker.__main__ import main


def worker() -> None:
    """Execute workflows and activities until SIGTERM: what a worker's container runs.

    Exit 0 once drained, 1 if it failed, 2 for wrong settings.
    """
    main()
