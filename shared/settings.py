"""The environment, read once at start and checked as a whole (docs/configuration.md lists every variable)."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from shared.ports import RateCategory
from shared.refused_value import quoted, why_refused
from shared.secret_files import SecretFiles, read_secret
from shared.telemetry import wanted as telemetry_wanted
from shared.temporal.names import build_id

_DEPLOYMENT_NAME = r"^[A-Za-z0-9_-]{1,64}$"
_HOST_NAME = re.compile(r"[A-Za-z0-9_.-]{1,253}")
_ENTERPRISE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class SettingsError(Exception):
    """One message that names every wrong or missing setting and never quotes a secret."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Each problem is a line: the setting's name, a colon, and what is wrong with it."""
        super().__init__("\n  ".join(["settings are wrong:", *dict.fromkeys(problems)]))
        self.problems = tuple(problems)


class Environment(BaseSettings):
    """Reading the environment as a whole, and the files that it names."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given as an argument wins; a secret is in the environment or in a file."""
        return init_settings, env_settings, SecretFiles(settings_cls)

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the environment; `overrides` (from command line flags, None meaning "not given") win.

        Raises:
            SettingsError: something is missing or wrong, Temporal's connection settings included.
        """
        files = SecretFiles(cls)
        files()
        problems = (*files.problems.values(), *cls._other_problems())
        try:
            settings = cls(**{name: value for name, value in overrides.items() if value is not None})
        except ValidationError as error:
            said = tuple(f"{name}:" for name in files.problems)
            found = [line for line in _describe(error, cls.model_fields) if not (said and line.startswith(said))]
            raise SettingsError([*found, *problems]) from None
        if problems:
            raise SettingsError(problems)
        return settings

    @classmethod
    def _other_problems(cls) -> tuple[str, ...]:
        """What is wrong with variables that are not fields here."""
        return ()

    @field_validator("supabase_url", "novu_api_url", "temporal_ui_url", "inbox_url", check_fields=False)
    @classmethod
    def _is_http_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be a URL that begins with http:// or https://")
        return value.rstrip("/")

    @field_validator("supabase_service_role_key", "novu_secret_key", check_fields=False)
    @classmethod
    def _is_a_header_value(cls, value: SecretStr) -> SecretStr:
        secret = value.get_secret_value()
        if not secret.isascii() or any(character.isspace() for character in secret):
            raise ValueError("must be one word of ASCII characters; check for line breaks and quotes")
        return value


_SERVICE_PATH = re.compile(r"/(auth|functions|realtime|rest|storage)/v1$")
"""What a project's services have behind its URL, as dashboards show them."""


class SupabaseSettings(Environment):
    """Where the rows are: all that a command needs that only reads them."""

    supabase_url: str = Field(validation_alias=AliasChoices("NEXT_PUBLIC_SUPABASE_URL", "SUPABASE_URL"))
    supabase_service_role_key: SecretStr

    @field_validator("supabase_url")
    @classmethod
    def _is_the_project_s(cls, value: str) -> str:
        if found := _SERVICE_PATH.search(value):
            raise ValueError(f"must be the project's URL, without {found[0]}")
        return value


class TemporalSettings(Environment):
    """Where the workflows are: all that a command needs that only looks at them."""

    temporal_address: str
    temporal_namespace: str = "default"
    temporal_task_queue: str = "xnovu-notification-processing"

    @field_validator("temporal_address")
    @classmethod
    def _is_host_and_port(cls, value: str) -> str:
        if "://" in value:
            raise ValueError("must be host:port without a scheme, such as localhost:7233; TEMPORAL_TLS asks for TLS")
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError("must be host:port, such as localhost:7233")
        return value

    @classmethod
    def _other_problems(cls) -> tuple[str, ...]:
        try:
            temporal_connect_config()
        except SettingsError as error:
            return error.problems
        return ()


class Settings(TemporalSettings, SupabaseSettings):
    """What every process needs to know, as values. Durations carry their unit in the name.

    Each deployable asks for its own: the listener holds no Novu key, the worker needs no list of enterprises.
    """

    daemon_log_level: Literal["debug", "info", "warn", "error"] = "info"
    xnovu_build: str = Field("unknown", validation_alias=AliasChoices("XNOVU_BUILD", "K_REVISION"))
    secret_files_look_seconds: float = Field(30.0, ge=0.1, le=3600)

    @classmethod
    def _other_problems(cls) -> tuple[str, ...]:
        return (*super()._other_problems(), *telemetry_wanted.find_problems(os.environ))

    @field_validator("daemon_log_level", mode="before")
    @classmethod
    def _lower_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


def is_enterprise_id(text: str) -> bool:
    """Whether an enterprise can have this id."""
    return _ENTERPRISE_ID.fullmatch(text) is not None


def _split_enterprise_ids(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    ids = tuple(dict.fromkeys(part.strip() for part in value.split(",") if part.strip()))
    for enterprise_id in ids:
        if not is_enterprise_id(enterprise_id):
            raise ValueError(f"{quoted(enterprise_id)} is not an enterprise id: 1-64 of letters, digits, '_', '-', '.'")
    return ids


EVERY_ENTERPRISE = "*"
"""In place of a list of enterprises: every one of the database."""


def _every_enterprise_or_ids(value: Any) -> Any:
    if isinstance(value, str) and value.strip() == EVERY_ENTERPRISE:
        return (EVERY_ENTERPRISE,)
    return _split_enterprise_ids(value)


EnterpriseIds = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_enterprise_ids)]


class EnterpriseSettings(Environment):
    """Whose rows this deployment serves."""

    daemon_enterprise_ids: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_every_enterprise_or_ids)] = Field(
        min_length=1
    )

    @property
    def listed_enterprise_ids(self) -> tuple[str, ...] | None:
        """The list; None for every enterprise that the database knows."""
        return None if self.daemon_enterprise_ids == (EVERY_ENTERPRISE,) else self.daemon_enterprise_ids


class ProbeSettings(Environment):
    """Where the platform asks a container how it is (shared/probes.py)."""

    probe_host: str = "0.0.0.0"
    probe_port: int | None = Field(None, ge=1, le=65535)


class FeedSettings(Environment):
    """How rings for row changes reach the listener."""

    feed: Literal["auto", "broadcast", "postgres_changes"] = "auto"


class ListenerSettings(Settings, EnterpriseSettings, FeedSettings, ProbeSettings):
    """The listener's: whose rows to hear, and how stubbornly."""

    subscription_reconnect_delay_ms: int = Field(1000, ge=1, validation_alias="SUBSCRIPTION_RECONNECT_DELAY")
    subscription_max_retries: int = Field(10, ge=1)
    subscription_health_check_interval_ms: int = Field(
        30_000, ge=100, validation_alias="SUBSCRIPTION_HEALTH_CHECK_INTERVAL"
    )


class SubscriberIdSettings(Environment):
    """Which subscriber ids are sent to Novu: those that every Novu takes, or all that are not blank."""

    novu_subscriber_ids: Literal["strict", "any"] = "strict"

    @property
    def any_subscriber_id(self) -> bool:
        return self.novu_subscriber_ids == "any"


class NovuSettings(Environment):
    """Where notifications go, and the key to it."""

    novu_secret_key: SecretStr
    novu_api_url: str = "https://api.novu.co"


NAMED_NOVU_KEY = re.compile(r"NOVU_SECRET_KEY__[A-Z0-9_]{1,64}", re.ASCII)
"""Variables with keys of enterprises' own (docs/configuration.md)."""


def named_novu_keys() -> dict[str, SecretStr]:
    """Keys of enterprises' own, by the variables that hold them, or (with _FILE) name the file that does; one that is
    blank is not there.

    Raises:
        SettingsError: a file cannot be read, or the key is given twice.
    """
    given = {name for name, value in os.environ.items() if NAMED_NOVU_KEY.fullmatch(name) and value.strip()}
    try:
        return {
            name: SecretStr(read_secret(name) or os.environ[name].strip())
            for name in sorted({name.removesuffix("_FILE") for name in given})
        }
    except ValueError as error:
        raise SettingsError([str(error)]) from None


class NovuRateSettings(Environment):
    """How much Novu takes: by plan until its answers say otherwise, and never more than figures of one's own."""

    novu_plan: Literal["unlimited", "free", "pro", "team", "enterprise"] = "unlimited"
    novu_events_per_second: float | None = Field(None, ge=0.01, le=100_000)
    novu_configuration_per_second: float | None = Field(None, ge=0.01, le=100_000)
    novu_requests_per_second: float | None = Field(None, ge=0.01, le=100_000)

    @property
    def own_rates(self) -> dict[RateCategory, float | None]:
        """The figures of one's own, by Novu's categories."""
        return {
            "trigger": self.novu_events_per_second,
            "configuration": self.novu_configuration_per_second,
            "global": self.novu_requests_per_second,
        }


class NovuAnswerSettings(Environment):
    """How long Novu's answer is waited for, and what is done without one."""

    novu_idempotency: Literal["off", "on"] = "off"
    novu_request_timeout_seconds: float = Field(60.0, ge=1, le=300)
    novu_doubt_wait_seconds: float = Field(120.0, ge=0, le=86_400)

    @property
    def novu_is_idempotent(self) -> bool:
        return self.novu_idempotency == "on"


class DeliverySettings(Environment):
    """Whether account is kept of what became of notifications, and by whose word: Novu's activity, which is asked, or
    its webhooks, which tell, and its activity for what they leave out.
    """

    novu_delivery: Literal["off", "activity", "webhook"] = "off"
    novu_retention_hours: float = Field(24.0, gt=0, le=24 * 366, allow_inf_nan=False)
    novu_activity_requests_per_second: float = Field(10.0, gt=0, le=1000, allow_inf_nan=False)

    @property
    def look_after_seconds(self) -> float | None:
        """How long after it was sent Novu is asked about a row; None: no account is kept of it."""
        return {"off": None, "activity": 5.0, "webhook": 45.0}[self.novu_delivery]


class WorkerSettings(
    Settings,
    NovuSettings,
    NovuRateSettings,
    NovuAnswerSettings,
    SubscriberIdSettings,
    DeliverySettings,
    ProbeSettings,
):
    """The worker's: how much at once, for how long, and the key to Novu."""

    worker_enterprise_ids: EnterpriseIds = ()

    temporal_max_concurrent_activities: int = Field(100, ge=1)
    temporal_max_concurrent_workflows: int = Field(50, ge=2)

    temporal_worker_deployment_name: str | None = Field(None, pattern=_DEPLOYMENT_NAME)

    notification_claim_lease_seconds: int = Field(120, ge=1, le=86_400)
    worker_shutdown_grace_seconds: float = Field(6.0, ge=0)

    @field_validator("temporal_worker_deployment_name")
    @classmethod
    def _has_a_build(cls, value: str | None, info: ValidationInfo) -> str | None:
        build = info.data.get("xnovu_build", "unknown")
        if value is not None and build == "unknown":
            raise ValueError("needs XNOVU_BUILD: each build is a version of its own")
        if value is not None:
            try:
                build_id(build)
            except ValueError as error:
                raise ValueError(f"needs another XNOVU_BUILD: it {error}") from None
        return value


class DaemonSettings(ListenerSettings, WorkerSettings):
    """Listener and worker in one process."""

    daemon_health_host: str = "127.0.0.1"
    daemon_health_port: int = Field(3001, ge=1, le=65535)
    daemon_health_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    temporal_ui_url: str | None = None
    inbox_url: str | None = None

    @model_validator(mode="after")
    def _sends_what_it_hears(self) -> Self:
        if not self.worker_enterprise_ids:
            return self
        if self.listed_enterprise_ids is None:
            raise ValueError("WORKER_ENTERPRISE_IDS: must be unset where DAEMON_ENTERPRISE_IDS is *")
        if set(self.listed_enterprise_ids) - set(self.worker_enterprise_ids):
            raise ValueError("WORKER_ENTERPRISE_IDS: must name all of DAEMON_ENTERPRISE_IDS, or nobody sends for them")
        return self

    @field_validator("daemon_health_allowed_hosts", mode="before")
    @classmethod
    def _split_host_names(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        names = tuple(part.strip() for part in value.split(",") if part.strip())
        for name in names:
            if not _HOST_NAME.fullmatch(name):
                raise ValueError(f"{quoted(name)} is not a host's name, such as health.example.org, without port")
        return names


def temporal_connect_config(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Connection arguments from Temporal's standard variables (TLS, API key, certificates, TEMPORAL_CONFIG_FILE).

    Raises:
        SettingsError: a certificate file, a key's or the configuration file cannot be read.
    """
    from temporalio.envconfig import (
        ClientConfig,  # with it comes Temporal's whole client, which not every command needs
    )

    try:
        key = read_secret("TEMPORAL_API_KEY", environment)
    except ValueError as error:
        raise SettingsError([str(error)]) from None
    variables = {**environment, **({"TEMPORAL_API_KEY": key} if key else {})}
    try:
        return dict(ClientConfig.load_client_connect_config(override_env_vars=variables))
    except (OSError, RuntimeError, ValueError) as error:
        # The first line says where; the next would quote the file, where the key is.
        raise SettingsError([f"TEMPORAL_*: {str(error).partition(chr(10))[0]}"]) from None


_TEXTS = {"too_short": "names none; a list such as ent1,ent2"}
_FORMS = {_DEPLOYMENT_NAME: "must be 1-64 of letters, digits, '_', '-'"}


def _describe(error: ValidationError, fields: Mapping[str, FieldInfo]) -> list[str]:
    lines = []
    for finding in error.errors(include_url=False):
        if not finding["loc"]:
            lines.append(why_refused(finding))
            continue
        name = str(finding["loc"][0])
        field = fields.get(name) or next((each for each in fields.values() if _variable(each) == name), None)
        bounds = _bounds(field) if field else None
        text = _TEXTS.get(finding["type"])
        text = text or why_refused(finding, given=finding["input"], bounds=bounds, forms=_FORMS)
        lines.append(f"{(field and _variable(field)) or name.upper()}: {text}")
    return lines


def _variable(field: FieldInfo) -> str | None:
    """The variable's name, where it is not the field's own."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return str(alias) if alias else None


def _bounds(field: FieldInfo) -> dict[str, float]:
    return {
        name: getattr(each, name) for each in field.metadata for name in ("ge", "gt", "le", "lt") if hasattr(each, name)
    }
