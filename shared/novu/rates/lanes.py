"""Whose turn it is at Novu's rate."""

SMALL = 10
"""Up to so many rows or events go by a lane of their own, which their enterprise's bulk does not fill."""


def lane_of(enterprise_id: str, count: int) -> tuple[str, bool]:
    """The enterprise's lane for so many at once; whether it is for small ones."""
    return enterprise_id, count <= SMALL
