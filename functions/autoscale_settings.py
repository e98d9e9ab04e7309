"""What the autoscale function reads from the environment, beyond what every function does (docs/configuration.md)."""

import re
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field, ValidationInfo, field_validator
from temporalio.common import WorkerDeploymentVersion

from functions.scaling.model import Limits
from functions.settings import FunctionsSettings

_WORKER_POOL = re.compile(r"projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/workerPools/[a-z][a-z0-9-]{0,62}")
_BUILD = re.compile(r"-([0-9a-f]{12})$")
"""What the name of a build's pool ends in."""
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\]):[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class ScaledPool:
    """A pool, what its decisions keep to, and whose work it does: a build's, or None for everybody's."""

    name: str
    limits: Limits
    build: WorkerDeploymentVersion | None


class AutoscaleSettings(FunctionsSettings):
    """Which pools are scaled, between which numbers, and how eagerly."""

    temporal_worker_deployment_name: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    autoscale_worker_pool: str
    autoscale_min_instances: int = Field(ge=0)
    autoscale_max_instances: int = Field(ge=1)
    autoscale_tasks_per_second: float = Field(gt=0)
    autoscale_drain_seconds: float = Field(60.0, gt=0)
    autoscale_quiet_seconds: float = Field(300.0, ge=0)
    autoscale_backlog_age_seconds: float = Field(60.0, gt=0)
    autoscale_step_up: int = Field(10, ge=1)
    autoscale_cloud_run_endpoint: str | None = None

    @field_validator("autoscale_worker_pool")
    @classmethod
    def _names_worker_pools(cls, value: str, info: ValidationInfo) -> str:
        names = value.split(",")
        if not all(_WORKER_POOL.fullmatch(name) for name in names):
            raise ValueError("must be projects/P/locations/L/workerPools/N")
        if info.data.get("temporal_worker_deployment_name"):
            if not all(_BUILD.search(name) for name in names):
                raise ValueError("must end in -BUILD, with TEMPORAL_WORKER_DEPLOYMENT_NAME: a pool for each build")
        elif len(names) > 1:
            raise ValueError("must be one pool: several are several builds', with TEMPORAL_WORKER_DEPLOYMENT_NAME")
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

    def pools(self) -> tuple[ScaledPool, ...]:
        """The first is the one that is to have the work; those of builds before it may come down to nothing."""
        limits = self._limits()
        deployment = self.temporal_worker_deployment_name
        return tuple(
            ScaledPool(
                name,
                limits if number == 0 else replace(limits, min_instances=0),
                None if deployment is None else WorkerDeploymentVersion(deployment, _BUILD.findall(name)[0]),
            )
            for number, name in enumerate(self.autoscale_worker_pool.split(","))
        )

    def _limits(self) -> Limits:
        return Limits(
            min_instances=self.autoscale_min_instances,
            max_instances=self.autoscale_max_instances,
            tasks_per_second=self.autoscale_tasks_per_second,
            drain_seconds=self.autoscale_drain_seconds,
            quiet_seconds=self.autoscale_quiet_seconds,
            backlog_age_seconds=self.autoscale_backlog_age_seconds,
            step_up=self.autoscale_step_up,
        )
