"""What the autoscale function reads from the environment, beyond what every function does (docs/configuration.md)."""

import re
from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from functions.scaling.model import Limits
from functions.settings import FunctionsSettings

_WORKER_POOL = re.compile(r"projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/workerPools/[a-z][a-z0-9-]{0,62}")
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\]):[0-9]{1,5}")


class AutoscaleSettings(FunctionsSettings):
    """Which pool is scaled, between which numbers, and how eagerly."""

    autoscale_worker_pool: str
    autoscale_min_instances: int = Field(ge=0)
    autoscale_max_instances: int = Field(ge=1)
    autoscale_tasks_per_second: float = Field(gt=0)
    autoscale_drain_seconds: float = Field(60.0, gt=0)
    autoscale_quiet_seconds: float = Field(300.0, ge=0)
    autoscale_backlog_age_seconds: float = Field(60.0, gt=0)
    autoscale_step_up: int = Field(4, ge=1)
    autoscale_cloud_run_endpoint: str | None = None

    @field_validator("autoscale_worker_pool")
    @classmethod
    def _is_a_worker_pools_name(cls, value: str) -> str:
        if not _WORKER_POOL.fullmatch(value):
            raise ValueError("must be projects/P/locations/L/workerPools/N")
        return value

    @field_validator("autoscale_max_instances")
    @classmethod
    def _is_no_less_than_the_minimum(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("autoscale_min_instances", 0):
            raise ValueError("must be at least AUTOSCALE_MIN_INSTANCES")
        return value

    @field_validator("autoscale_cloud_run_endpoint")
    @classmethod
    def _is_of_this_machine(cls, value: Any) -> Any:
        if value is not None and not _LOOPBACK.fullmatch(value):
            raise ValueError(
                "must be host:port of this machine (127.0.0.1:...): it is spoken to without TLS, for tests"
            )
        return value

    def limits(self) -> Limits:
        """What decisions keep to."""
        return Limits(
            min_instances=self.autoscale_min_instances,
            max_instances=self.autoscale_max_instances,
            tasks_per_second=self.autoscale_tasks_per_second,
            drain_seconds=self.autoscale_drain_seconds,
            quiet_seconds=self.autoscale_quiet_seconds,
            backlog_age_seconds=self.autoscale_backlog_age_seconds,
            step_up=self.autoscale_step_up,
        )
