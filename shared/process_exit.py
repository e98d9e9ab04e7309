"""How every process of ours ends: with an exit code that is true."""

import gc
import logging
import os
import sys
from typing import NoReturn

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_BAD_SETTINGS = 2


def leave_at_once(code: int) -> NoReturn:
    """Flush and leave: where Temporal's client was in use, the interpreter's own shutdown sometimes aborts.

    Source: sdk-python issue 300.
    """
    # Many commands never import it; what they then have not started has nothing to flush.
    if telemetry := sys.modules.get("shared.telemetry"):
        telemetry.stop()
    gc.collect()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
