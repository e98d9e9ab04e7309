"""`python -m worker`: executes workflows and activities until SIGTERM."""

from shared.process_lifecycle import run_process
from shared.settings import WorkerSettings
from worker.bootstrap import run

if __name__ == "__main__":
    run_process("worker", run, WorkerSettings.load)
