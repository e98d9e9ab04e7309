"""Settings kept in a file: `.env` of the folder a command is started in, or the one that `--env-file` names."""

import os
from pathlib import Path

from dotenv.parser import parse_stream

from cli.failure import EXIT_NOTHING_KNOWN, exit_with_hint

VARIABLE = "XNOVU_ENV_FILE"
"""Names the file, as --env-file does; processes that a command starts are told by it."""

_DEFAULT = ".env"

_FORM = "each line is NAME=value, a value with spaces or # in quotes; .env.example has every name."


def read_env_file(chosen: Path | None) -> None:
    """Put the file's variables into the environment, where that has none of the name, or an empty one.

    Temporal's SDK and OpenTelemetry read the environment themselves: so it is no source of our settings alone. Values
    are taken as they are written: `${NAME}` means nothing. Only the folder itself is looked into, none above it.
    Leaves with a message, which quotes nothing of the file, if it cannot be read.
    """
    file = chosen or Path(_DEFAULT)
    if chosen is None and not file.is_file():  # a folder of this name is somebody's virtual environment
        return
    try:
        with file.open(encoding="utf-8") as lines:
            bindings = list(parse_stream(lines))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        exit_with_hint(f"{file} cannot be read: {reason}.", _FORM, EXIT_NOTHING_KNOWN)
    if wrong := [str(binding.original.line) for binding in bindings if binding.error]:
        exit_with_hint(f"{file} cannot be understood at line {', '.join(wrong)}.", _FORM, EXIT_NOTHING_KNOWN)
    values = {binding.key: binding.value for binding in bindings if binding.key and binding.value}
    if nul := [name for name, value in values.items() if "\0" in name + value]:
        exit_with_hint(f"{file}: the value of {nul[0]!r} holds a NUL.", _FORM, EXIT_NOTHING_KNOWN)
    os.environ.update({name: value for name, value in values.items() if not os.environ.get(name)})
    if chosen is not None:
        os.environ[VARIABLE] = str(file.absolute())
