"""What functions-framework serves: `FUNCTION_SOURCE=functions/main.py FUNCTION_TARGET=trigger functions-framework`.

The framework loads this file in the process it later forks from, so settings are read here and nothing is opened.
"""

import os
import sys

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import Response

from functions import bootstrap
from functions.autoscale_settings import AutoscaleSettings
from functions.settings import FunctionsSettings
from shared import json_logs
from shared.process_lifecycle import EXIT_BAD_SETTINGS
from shared.settings import SettingsError

AUTOSCALE = "autoscale"

try:
    # Only the function that scales needs to know what. The framework has put its target there by now.
    settings = (AutoscaleSettings if os.environ.get("FUNCTION_TARGET") == AUTOSCALE else FunctionsSettings).load()
    functions = bootstrap.build(settings)
except SettingsError as error:
    print(f"functions: {error}", file=sys.stderr)  # noqa: T201
    sys.exit(EXIT_BAD_SETTINGS)

json_logs.configure(settings.daemon_log_level)


@functions_framework.aio.http
async def health(request: Request) -> Response:
    """How the deployment is."""
    return await functions.health(request)


@functions_framework.aio.http
async def status(request: Request) -> Response:
    """How the deployment is, in detail."""
    return await functions.status(request)


@functions_framework.aio.http
async def trigger(request: Request) -> Response:
    """Sends notifications, and tells how that stands."""
    return await functions.trigger(request)


@functions_framework.aio.http
async def autoscale(request: Request) -> Response:
    """Has as many workers as are needed."""
    assert functions.autoscale is not None, "its settings were read, because it is the target"
    return await functions.autoscale(request)
