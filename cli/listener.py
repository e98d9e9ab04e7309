"""`xnovu listener`: what a listener's container runs."""

from listener.__main__ import main


def listener() -> None:
    """Turn row changes into workflow starts until SIGTERM: what a listener's container runs.

    Exit 0 once drained, 1 if it failed, 2 for wrong settings.
    """
    main()
