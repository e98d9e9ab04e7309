"""The receiving end of telemetry, for tests and benchmarks."""
