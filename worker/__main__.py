"""`python -m worker`: executes workflows and activities until SIGTERM."""

from typing import NoReturn

from shared import importing  # noqa: F401 - before all else; not in the package, which workflows' sandboxes import anew
from shared.process_lifecycle import run_process
from shared.settings import WorkerSettings
from worker.bootstrap import run_alone


def main() -> NoReturn:
    """The whole process, to its exit."""
    run_process("worker", run_alone, WorkerSettings.load)


if __name__ == "__main__":
    main()
