"""Port `NotificationTrigger` on Novu's event endpoints, by plain HTTP (docs/decisions/0003-novu-by-httpx.md)."""

from shared.novu.trigger import CancelFailed, NovuTrigger, open_trigger

__all__ = ["CancelFailed", "NovuTrigger", "open_trigger"]
