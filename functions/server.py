"""Serves one function: functions-framework's application in gunicorn, with times that fit Cloud Run's ten seconds."""

from pathlib import Path
from typing import Any, Literal

import functions_framework
from functions_framework.exceptions import FunctionsFrameworkException
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from pydantic import Field

from functions.endpoint import DEADLINE_SECONDS
from functions.server_worker import FunctionWorker
from shared import importing, open_files, telemetry
from shared.settings import Environment, SettingsError

SOURCE = Path(__file__).with_name("main.py")

GRACE_SECONDS = int(DEADLINE_SECONDS)
"""After SIGTERM calls under way are answered within their own deadline (docs/image.md adds up what follows)."""


KEEP_ALIVE_SECONDS = 75
"""Longer than callers keep idle connections: gunicorn's own 2 s would close some just as a call is sent on them."""


ACCEPTED_AT_ONCE = 64
"""Connections taken in one turn of the event loop: more would come before any is counted."""


class ServerSettings(Environment):
    """Which function is served, and where: names that Cloud Run and functions-framework have given them."""

    function_target: Literal["health", "status", "trigger", "autoscale", "webhook"]
    host: str = "0.0.0.0"
    port: int = Field(8080, ge=1, le=65535)


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, application: object, options: dict[str, Any]) -> None:
        self._application = application
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> object:
        return self._application


def serve(settings: ServerSettings) -> None:
    """Serve until SIGTERM; gunicorn ends the process then.

    Raises:
        SettingsError: this image has no such function.
        SystemExit: the function's own settings are wrong, or nothing can listen there.
    """
    try:
        application = functions_framework.create_app(settings.function_target, str(SOURCE))  # type: ignore[no-untyped-call]
    except FunctionsFrameworkException as error:
        raise SettingsError([f"FUNCTION_TARGET: {error}"]) from None
    importing.done()
    open_files.allow_as_many_as_possible()
    open_files.log_refused_connections_once_a_minute()
    options = {
        "bind": f"{settings.host}:{settings.port}",
        "workers": 1,  # Cloud Run starts more instances instead
        "worker_class": FunctionWorker,
        "backlog": ACCEPTED_AT_ONCE,
        "timeout": 0,  # the endpoint's deadline is shorter than any that gunicorn could keep
        "graceful_timeout": GRACE_SECONDS,
        "keepalive": KEEP_ALIVE_SECONDS,
        "worker_exit": _flush,
        "loglevel": "error",
        "control_socket_disable": True,  # it would want a home directory to write to
    }
    _Server(application, options).run()


def _flush(server: object, worker: object) -> None:
    telemetry.stop()
