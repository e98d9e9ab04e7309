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
from functions.webhook_settings import WebhookSettings
from shared import json_logs
from shared.process_exit import EXIT_BAD_SETTINGS
from shared.settings import SettingsError

# Each function reads the settings that it needs. The framework has put its target there by now.
target = os.environ.get("FUNCTION_TARGET")
try:
    functions: bootstrap.Functions | bootstrap.WebhookFunction
    settings: FunctionsSettings | WebhookSettings
    if target == "webhook":
        settings = WebhookSettings.load()
        functions = bootstrap.build_webhook(settings)
    else:
        settings = (AutoscaleSettings if target == "autoscale" else FunctionsSettings).load()
        functions = bootstrap.build(settings)
except SettingsError as error:
    print(f"functions: {error}", file=sys.stderr)  # noqa: T201
    sys.exit(EXIT_BAD_SETTINGS)

json_logs.configure(settings.daemon_log_level)


@functions_framework.aio.http
async def health(request: Request) -> Response:
    """How the deployment is."""
    return await _built(functions).health(request)


@functions_framework.aio.http
async def status(request: Request) -> Response:
    """How the deployment is, in detail."""
    return await _built(functions).status(request)


@functions_framework.aio.http
async def trigger(request: Request) -> Response:
    """Sends notifications, and tells how that stands."""
    return await _built(functions).trigger(request)


@functions_framework.aio.http
async def autoscale(request: Request) -> Response:
    """Has as many workers as are needed."""
    scaling = _built(functions).autoscale
    assert scaling is not None, "its settings were read, because it is the target"
    return await scaling(request)


@functions_framework.aio.http
async def webhook(request: Request) -> Response:
    """Takes what Novu tells of messages."""
    assert isinstance(functions, bootstrap.WebhookFunction), "its settings were read, because it is the target"
    return await functions.webhook(request)


def _built(built: bootstrap.Functions | bootstrap.WebhookFunction) -> bootstrap.Functions:
    assert isinstance(built, bootstrap.Functions), "settings of the others were read, because one of them is the target"
    return built
