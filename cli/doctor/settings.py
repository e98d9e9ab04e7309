"""The environment, as the daemon would read it."""

from cli.doctor.problem import Problem
from shared.settings import DaemonSettings, SettingsError


async def check_settings() -> list[Problem]:
    """Each wrong or missing variable is a problem."""
    try:
        DaemonSettings.load()
    except SettingsError as error:
        return [Problem(line, "docs/configuration.md says what it is for.", "settings") for line in error.problems]
    return []
