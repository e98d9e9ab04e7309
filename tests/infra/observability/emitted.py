"""What can be asked for: every metric that the program, Temporal's SDK and the platform have, with its labels."""

import importlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import yaml

from shared.telemetry.metric import Kind, Metric
from tests.infra.observability.sources import MODULE, ROOT, read_list

_OURS = ("cli", "functions", "listener", "shared", "worker")
_RECORDED = Path(__file__).parent
_DECLARES = re.compile(r"^METRICS\b[^=\n]*=", re.MULTILINE)
_OF_HISTOGRAMS = ("_bucket", "_count", "_sum")


@dataclass(frozen=True, slots=True)
class Series:
    """A name that PromQL may ask for, and the labels it has; `counts` says whether it only grows."""

    name: str
    labels: frozenset[str]
    counts: bool


def declared() -> tuple[Metric, ...]:
    """Ours: those of every module that has a tuple METRICS, as its metrics' modules do."""
    found: list[Metric] = []
    for folder in _OURS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if _DECLARES.search(file.read_text()):
                module = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
                found.extend(module.METRICS)
    return tuple(found)


def of_temporal() -> tuple[Metric, ...]:
    """Those of Temporal's SDK that we ask for, as test_temporal_sdk_metrics.py sees them come."""
    return tuple(_recorded("temporal_sdk_metrics.yaml"))


def of_the_program() -> tuple[Metric, ...]:
    """What our processes send."""
    return (*declared(), *of_temporal())


def of_the_platform() -> tuple[Metric, ...]:
    """What Google Cloud measures by itself, and the counters it makes of our log lines."""
    of_logs = (
        Metric(
            f"logging.googleapis.com/user/${{prefix}}/{metric['name']}",
            Kind.COUNTER,
            "1",
            metric["description"],
            (*metric["labels"], "worker_pool_name", "service_name", "monitored_resource"),
        )
        for metric in read_list(MODULE / "log_metrics.yaml", "log_metrics")
    )
    return (*_recorded("platform_metrics.yaml"), *of_logs)


def series(metrics: Iterable[Metric]) -> Mapping[str, Series]:
    """By name, as Google Cloud has them: a histogram is three series, the buckets with `le`."""
    return MappingProxyType({found.name: found for metric in metrics for found in _series(metric)})


def _series(metric: Metric) -> Iterator[Series]:
    labels = frozenset(metric.attributes)
    if metric.kind is not Kind.HISTOGRAM:
        yield Series(metric.name, labels, counts=metric.kind is Kind.COUNTER)
        return
    for suffix in _OF_HISTOGRAMS:
        of_suffix = labels | {"le"} if suffix == "_bucket" else labels
        yield Series(metric.name + suffix, of_suffix, counts=True)


def _recorded(name: str) -> Iterator[Metric]:
    for entry in yaml.safe_load((_RECORDED / name).read_text()):
        yield Metric(
            entry["name"], Kind(entry["kind"]), entry["unit"], entry.get("meaning", ""), tuple(entry["labels"])
        )
