"""docs/configuration.md lists the settings as they are: every variable, its default, and who reads it."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from temporalio.envconfig import ClientConfig

from functions.autoscale_settings import AutoscaleSettings
from functions.server import ServerSettings
from functions.settings import FunctionsSettings
from functions.webhook_settings import WebhookSettings
from shared.settings import DaemonSettings, Environment, ListenerSettings, Settings, WorkerSettings

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"

READERS: dict[str, type[Environment]] = {
    "all": Settings,
    "listener": ListenerSettings,
    "worker": WorkerSettings,
    "daemon": DaemonSettings,
    "functions": FunctionsSettings,
    "webhook": WebhookSettings,
    "autoscale": AutoscaleSettings,
    "function": ServerSettings,
}


@dataclass(frozen=True)
class Documented:
    """One line of the document's table."""

    variables: tuple[str, ...]
    default: str
    reader: str


def documented() -> list[Documented]:
    lines = re.findall(r"^\| (`[^|]+) \| ([^|]+) \| (\w+) \|", DOCUMENT.read_text(), re.MULTILINE)
    return [
        Documented(tuple(re.findall(r"`(\w+)`", variables)), default.strip().strip("`"), reader)
        for variables, default, reader in lines
    ]


def settings_in_use() -> list[Documented]:
    """What the settings classes read, as the document would have to say it."""
    seen: set[str] = set()
    found = []
    for reader, settings in READERS.items():
        for name, field in settings.model_fields.items():
            if name not in seen:
                found.append(Documented(variables_of(name, field), _default(field), reader))
        seen |= settings.model_fields.keys()
    return found


def variables_of(name: str, field: FieldInfo) -> tuple[str, ...]:
    match field.validation_alias:
        case AliasChoices(choices=choices):
            return tuple(map(str, choices))
        case str(alias):
            return (alias,)
        case _:
            return (name.upper(),)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default == ():
        return "none"
    return f"{field.default:g}" if isinstance(field.default, float) else str(field.default)


@pytest.mark.parametrize("setting", settings_in_use(), ids=lambda setting: setting.variables[0])
def test_a_setting_is_documented_with_its_default_and_its_reader(setting: Documented) -> None:
    assert setting in documented()


def test_every_documented_variable_is_read_by_us_or_by_temporals_sdk(tmp_path: Path) -> None:
    ours = {variable for setting in settings_in_use() for variable in setting.variables}
    others = [variable for line in documented() for variable in line.variables if variable not in ours]
    value = tmp_path / "value"
    value.write_text('[profile.default]\naddress = "localhost:1"\n')

    without = ClientConfig.load_client_connect_config(override_env_vars={})
    ignored = [
        variable
        for variable in others
        if ClientConfig.load_client_connect_config(override_env_vars={variable: str(value)}) == without
    ]

    assert others != []
    assert ignored == []
