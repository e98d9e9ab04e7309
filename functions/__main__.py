"""`python -m functions`: serves the function that FUNCTION_TARGET names until SIGTERM."""

import sys
from typing import NoReturn

from functions.server import ServerSettings, serve
from shared.process_exit import EXIT_BAD_SETTINGS
from shared.settings import SettingsError


def main() -> NoReturn:
    """The whole process, to its exit."""
    try:
        serve(ServerSettings.load())
    except SettingsError as error:
        print(f"functions: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_BAD_SETTINGS)
    sys.exit()


if __name__ == "__main__":
    main()
