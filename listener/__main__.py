"""`python -m listener`: turns row changes into workflow starts until SIGTERM."""

from listener.bootstrap import run
from shared.process_lifecycle import run_process
from shared.settings import ListenerSettings

if __name__ == "__main__":
    run_process("listener", run, ListenerSettings.load)
