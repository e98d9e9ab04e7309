"""What the OTEL_* variables ask for."""

import pytest

from shared.telemetry.wanted import Wanted, find_problems, read_wanted

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
WORKER_POOL = {"CLOUD_RUN_WORKER_POOL": "listener"}
BOTH = Wanted(traces=True, metrics=True)


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, Wanted()),
        (ENDPOINT, BOTH),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost/v1/traces"}, Wanted(traces=True)),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://localhost/v1/metrics"}, Wanted(metrics=True)),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, Wanted(metrics=True)),
        ({**ENDPOINT, "OTEL_METRICS_EXPORTER": "otlp, prometheus"}, Wanted(traces=True, metrics=True, prometheus=True)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, Wanted(traces=True)),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "true"}, Wanted()),
        (WORKER_POOL, Wanted(traces=True, metrics=True, google_cloud=True)),
        ({"K_SERVICE": "health"}, Wanted(traces=True, metrics=True, google_cloud=True)),
        ({**WORKER_POOL, **ENDPOINT}, BOTH),
        ({**WORKER_POOL, "OTEL_TRACES_EXPORTER": "none"}, Wanted(metrics=True, google_cloud=True)),
    ],
)
def test_an_endpoint_or_an_exporter_switches_a_signal_on(environment: dict[str, str], wanted: Wanted) -> None:
    assert read_wanted(environment) == wanted


def test_a_process_that_answers_prometheus_measures_whatever_the_variables_ask_for() -> None:
    assert read_wanted({}, prometheus=True) == Wanted(prometheus=True)
    assert not read_wanted({"OTEL_SDK_DISABLED": "TRUE"}, prometheus=True).anything


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_METRICS_EXPORTER", "otlp,statsd"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://["),
    ],
)
def test_a_wrong_value_is_named_and_not_quoted(name: str, value: str) -> None:
    [problem] = find_problems({name: value})

    assert problem.startswith(f"{name}: must be")
    assert value not in problem


def test_right_values_are_no_problem() -> None:
    assert find_problems({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}) == ()
