"""The daemon's health over HTTP: /health, /status, /metrics, /livez, /readyz (docs/health.md)."""

from cli.health_server.live import LiveComponents
from cli.health_server.serving import HealthPortTaken, serving

__all__ = ["HealthPortTaken", "LiveComponents", "serving"]
