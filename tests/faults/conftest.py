"""The functions are served on the real stack, as in their contract tests."""

from tests.contract.functions.conftest import bench, temporal

__all__ = ["bench", "temporal"]
