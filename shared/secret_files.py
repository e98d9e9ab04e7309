"""Secrets that are given as files: `<NAME>_FILE` names the file that holds `<NAME>`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

SECRETS_IN_FILES = ("SUPABASE_SERVICE_ROLE_KEY", "NOVU_SECRET_KEY", "NOVU_WEBHOOK_SECRETS", "TEMPORAL_API_KEY")
"""Each may be given as a file, `<NAME>_FILE`; so may keys of enterprises' own."""


def secret_file(name: str, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file that holds this secret, if it is given as one."""
    file = environment.get(f"{name}_FILE", "").strip()
    return Path(file) if file else None


def read_secret(name: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """What this secret's file holds, without white space around it; None where it is given in no file.

    Raises:
        ValueError: it is given twice, or its file cannot be read or is empty. The message begins with its name.
    """
    file = secret_file(name, environment)
    if file is None:
        return None
    if environment.get(name, "").strip():
        raise ValueError(f"{name}_FILE: {name} is set, too; give one of the two")
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise ValueError(f"{name}_FILE: {file} cannot be read: {reason}") from None
    if not secret:
        raise ValueError(f"{name}_FILE: {file} is empty")
    return secret


class SecretFiles(PydanticBaseSettingsSource):
    """Settings that are given as files; what is wrong with one is told in `problems`, by the setting's name."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self.problems: dict[str, str] = {}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Of one setting."""
        name = field_name.upper()
        try:
            return read_secret(name) if name in SECRETS_IN_FILES else None, field_name, False
        except ValueError as error:
            self.problems[name] = str(error)
            return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Those that are given so."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}
