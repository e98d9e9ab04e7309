"""The worker's rendering in the test's own process: a child takes a second to start."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from worker.rendering.request import RenderRequest, RenderResult, render_request


class Renderer:
    """In a RenderPool's place."""

    async def render(self, requests: Sequence[RenderRequest]) -> list[RenderResult]:
        return [render_request(request) for request in requests]


@asynccontextmanager
async def renderer() -> AsyncIterator[Renderer]:
    """In the place of a session's `render_pool`."""
    yield Renderer()
