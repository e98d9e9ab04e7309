"""Python imports this at the start of a process that has this folder in PYTHONPATH: a daemon is to meet faults."""

import sys

if "daemon" in sys.orig_argv and "start" in sys.orig_argv:
    from tests.faults.series import begin

    begin()
