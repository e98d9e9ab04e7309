"""Port `NotificationTrigger` on Novu's event endpoints, by plain HTTP (docs/decisions/0003-novu-by-httpx.md)."""

from shared.novu.trigger import NovuTrigger, open_trigger

__all__ = ["NovuTrigger", "open_trigger"]
