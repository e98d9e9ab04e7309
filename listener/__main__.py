"""`python -m listener`: turns row changes into workflow starts until SIGTERM."""

from typing import NoReturn

from listener.bootstrap import run_alone
from shared.process_lifecycle import run_process
from shared.settings import ListenerSettings


def main() -> NoReturn:
    """The whole process, to its exit."""
    run_process("listener", run_alone, ListenerSettings.load)


if __name__ == "__main__":
    main()
