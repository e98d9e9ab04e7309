"""`python -m tests.benchmarks.cost`: what a deployment costs, by the figures of build/bench.json, as Markdown tables.

Prices and measures are prices.yaml's. Nothing here asks anybody. With `--keep` the figures and the tables become those
of the documents (docs/bench.json, docs/deploy.md).
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

MILLION = 1_000_000
_FILE = Path(__file__).with_name("prices.yaml")
_DOCS = Path(__file__).parents[2] / "docs"
_BEGIN, _END = "<!-- made by python -m tests.benchmarks.cost docs/bench.json -->\n", "\n<!-- until here -->"
_ALERTS = Path(__file__).parents[2] / "infra" / "terraform" / "modules" / "observability" / "alerts.yaml"


@dataclass(frozen=True)
class Cost:
    """Dollars by what costs them: a month when nothing is sent, beyond it per million notifications, and each push.

    `static_egress` is a month more where everything goes out by one address.
    """

    idle: Mapping[str, float]
    per_million_single: Mapping[str, float]
    per_million_batched: Mapping[str, float]
    push: Mapping[str, float]
    static_egress: Mapping[str, float]


@cache
def prices() -> Mapping[str, float]:
    """Prices and measures of prices.yaml, by name."""
    found = yaml.safe_load(_FILE.read_text())
    return {**found["prices"], **found["measures"]}


def cost(figures: Mapping[str, float], of: Mapping[str, float] | None = None) -> Cost:
    """By what `make bench` measured, and prices.yaml or what is given instead."""
    of = of or prices()
    hours = of["hours_per_month"]
    minutes, seconds = hours * 60, hours * 3600
    conditions = len(yaml.safe_load(_ALERTS.read_text())["alerts"])
    checks = minutes * of["uptime_regions"]
    per_vcpu_and_memory = of["service_vcpu_second"] + of["function_gib"] * of["service_gib_second"]
    # A call that looks several times stays for as long as lies between the looks.
    looking = 60 * (1 - 1 / of["autoscale_looks"]) + of["function_seconds_per_call"]
    idle = {
        "listener": seconds * (of["pool_vcpu_second"] + of["listener_gib"] * of["pool_gib_second"]),
        "one worker": seconds * (of["pool_vcpu_second"] + of["worker_gib"] * of["pool_gib_second"]),
        "function `health`": checks
        * (of["service_million_requests"] / MILLION + of["function_seconds_per_call"] * per_vcpu_and_memory),
        f"function `autoscale`, {of['autoscale_looks']:g} looks a minute": minutes
        * (
            of["service_million_requests"] / MILLION
            + looking
            * (of["autoscale_vcpu"] * of["service_vcpu_second"] + of["function_gib"] * of["service_gib_second"])
        ),
        "Cloud Scheduler's job": of["scheduler_job"],
        "secrets": of["secret_versions"] * of["secret_version"],
        "metrics": of["metric_series"] * 2 * minutes / MILLION * of["metrics_million_samples"],
        "uptime checks (free up to a million)": checks / 1000 * of["uptime_thousand_checks"],
        "alerts": conditions
        * (of["alert_condition"] + minutes * of["series_per_condition"] / MILLION * of["alert_million_series"]),
        "Temporal Cloud, waiting": of["waiting_actions_per_minute"]
        * minutes
        / MILLION
        * of["temporal_million_actions"]
        * (1 + of["temporal_plan_share"]),
    }
    single = _per_million(
        of, figures, actions=figures["actions_single"], cpu_ms=figures["cpu_ms_single"], rows_in_a_batch=1
    )
    batched = _per_million(
        of,
        figures,
        actions=figures["actions_per_row_batched"],
        cpu_ms=figures["cpu_ms_per_row"],
        rows_in_a_batch=100,
    )
    push = {
        "tests": of["check_minutes"] * of["build_minute_8"],
        "image": of["build_minutes"] * of["build_minute_8"],
        "scans": of["scans_of_a_push"] * of["scan"],
        "planning and applying, for each environment": (of["plan_minutes"] + of["apply_minutes"]) * of["build_minute"],
    }
    egress = {
        "address": hours * of["address_hour"],
        "Cloud NAT of two instances": hours * 2 * of["nat_instance_hour"],
    }
    return Cost(idle, single, batched, push, egress)


def table(figures: Mapping[str, float]) -> str:
    """In Markdown."""
    spent, of = cost(figures), prices()
    lines = [*_of("per month, nothing sent", spent.idle), ""]
    lines += ["| per million notifications, beyond that | one by one | in batches of 100 |", "|---|--:|--:|"]
    lines += [
        f"| {name} | {dollars:.2f} | {spent.per_million_batched[name]:.2f} |"
        for name, dollars in spent.per_million_single.items()
    ]
    single, batched = sum(spent.per_million_single.values()), sum(spent.per_million_batched.values())
    lines.append(f"| **sum without Novu** | **{single:.2f}** | **{batched:.2f}** |")
    novu = of["novu_million_runs"]
    lines.append(f"| Novu Cloud, beyond a plan | {novu:.2f} | {novu:.2f} |")
    lines += ["", *_of("for each push that deploys to one environment", spent.push)]
    lines += ["", *_of("per month, with `static_egress_cidr`", spent.static_egress)]
    out = of["kib_out_per_notification"] * MILLION / 2**20 * of["nat_gib"]
    lines.append(f"| and per million notifications | {out:.2f} |")
    return "\n".join(lines)


def _of(title: str, dollars: Mapping[str, float]) -> list[str]:
    rows = [f"| {name} | {each:.2f} |" for name, each in dollars.items()]
    return [f"| {title} | $ |", "|---|--:|", *rows, f"| **sum** | **{sum(dollars.values()):.2f}** |"]


def _per_million(
    of: Mapping[str, float], figures: Mapping[str, float], *, actions: float, cpu_ms: float, rows_in_a_batch: int
) -> dict[str, float]:
    pool_second = of["pool_vcpu_second"] + of["worker_gib"] * of["pool_gib_second"]
    spans = of["spans_of_a_batch"] / rows_in_a_batch * of["traces_kept"]
    return {
        "Temporal Cloud actions": actions * of["temporal_million_actions"],
        "Temporal Cloud's plan, a tenth of them": actions * of["temporal_million_actions"] * of["temporal_plan_share"],
        "Supabase Realtime messages": of["realtime_million_messages"],
        "processor time of listener and workers": MILLION * cpu_ms / 1000 / of["worker_cpu_used"] * pool_second,
        "logs": MILLION * figures["log_bytes_per_row"] / 2**30 * of["logs_gib"],
        "traces, one in ten kept": spans * of["traces_million_spans"],
    }


def keep(figures: Mapping[str, float], docs: Path) -> None:
    """Put the figures, and the tables that they make, into the documents."""
    document = docs / "deploy.md"
    before, begin, rest = document.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    document.write_text(f"{before}{begin}{table(figures)}{end}{after}")
    (docs / "bench.json").write_text(json.dumps(figures, indent=2) + "\n")


def main() -> None:
    """Print the tables; the file with the figures may be named."""
    named = [each for each in sys.argv[1:] if each != "--keep"]
    figures = json.loads(Path(named[0] if named else "build/bench.json").read_text())
    if "--keep" in sys.argv[1:]:
        keep(figures, _DOCS)
    print(table(figures))  # noqa: T201


if __name__ == "__main__":
    main()
