"""Components' reports as they are stored."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shared.health.observations import ComponentReport

log = logging.getLogger("HealthMonitor")

_REPORT = TypeAdapter(ComponentReport)


def dump_report(report: ComponentReport) -> dict[str, Any]:
    """As JSON."""
    dumped: dict[str, Any] = _REPORT.dump_python(report, mode="json")
    return dumped


def load_reports(rows: Sequence[Mapping[str, Any]]) -> list[ComponentReport]:
    """Without those that another version of ours wrote in a way that this one cannot read; the log names them."""
    return [report for row in rows if (report := _load(row)) is not None]


def _load(row: Mapping[str, Any]) -> ComponentReport | None:
    try:
        return _REPORT.validate_python({**row, "reported_at": datetime.fromisoformat(row["reported_at"])})
    except (ValidationError, ValueError) as error:
        problems = error.error_count() if isinstance(error, ValidationError) else 1
        log.warning(
            "heartbeat_unreadable", extra={"component_id": str(row.get("component_id"))[:100], "problems": problems}
        )
        return None
