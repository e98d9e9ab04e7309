"""`xnovu function`: what a function's container runs."""

from functions.__main__ import main


def function() -> None:
    """Serve the function that FUNCTION_TARGET names, on PORT, until SIGTERM: what a function's container runs.

    Exit 0 once drained, 2 for wrong settings.
    """
    main()
