"""Port `NotificationTrigger` on Novu's event endpoints, by plain HTTP (docs/decisions/0003-novu-by-httpx.md)."""

from shared.novu.trigger import PATIENCE_SECONDS, NovuTrigger, open_trigger

__all__ = ["PATIENCE_SECONDS", "NovuTrigger", "open_trigger"]
