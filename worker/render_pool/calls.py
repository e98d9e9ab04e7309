"""What one call of `RenderPool.render` brings of one enterprise, item by item."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from shared.notification.models import Template
from shared.notification.outcomes import Refusal, RefusalCode
from worker.render_pool.wire import item_frame, templates_frame
from worker.rendering.refusals import RenderRefused
from worker.rendering.renderer import resolve_template
from worker.rendering.request import RenderRequest, RenderResult


@dataclass(eq=False, slots=True)
class Item:
    """One notification to render. `losses` counts the children lost while they were at it.

    `templates` names what of it is somebody's program, its schema too; `fingerprint` stands for these, of its
    enterprise, with a payload of about its size.
    """

    call: "RenderCall"
    place: int
    frame: bytes
    templates: list[str]
    fingerprint: int
    losses: int = 0


class RenderCall:
    """Items of an enterprise that share their templates. `waiting` are those no child has; `done` is set with the last
    answer.
    """

    def __init__(self, number: int, enterprise_id: str, templates: Mapping[str, Template]) -> None:
        self.number = number
        self.enterprise_id = enterprise_id
        self.templates_frame = templates_frame(number, templates)
        self.waiting: deque[Item] = deque()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._results: list[RenderResult | None] = []
        self._unanswered = 0

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.done.done()

    def add(self, request: RenderRequest) -> int:
        """Queue a request; returns its place. One whose payload cannot be sent is answered at once."""
        place = len(self._results)
        try:
            frame = item_frame(self.number, request)
        except (RecursionError, ValueError):
            self._results.append(
                Refusal(RefusalCode.PAYLOAD_INVALID, "The payload nests too deeply or has a number that is too long")
            )
            return place
        roots = _roots(request)
        contents = tuple((template.id, template.subject, template.body) for template in roots)
        schema = request.workflow.payload_schema
        fingerprint = hash((self.enterprise_id, contents, schema, len(frame).bit_length()))
        named = [template.key for template in roots]
        if schema is not None:
            named.append(f"payload_schema of {request.workflow.key}")
        self.waiting.append(Item(self, place, frame, named, fingerprint))
        self._results.append(None)
        self._unanswered += 1
        return place

    def complete_if_answered(self) -> None:
        """Set `done` once nothing is left to answer."""
        if self._unanswered == 0 and not self.done.done():
            self.done.set_result(None)

    def answer(self, item: Item, result: RenderResult) -> None:
        """Take an item's result; the last one completes the call."""
        self._results[item.place] = result
        self._unanswered -= 1
        self.complete_if_answered()

    def result(self, place: int) -> RenderResult:
        """The result at a place, once the call is done."""
        result = self._results[place]
        assert result is not None, "a call is done when every item is answered"
        return result


def _roots(request: RenderRequest) -> list[Template]:
    """The templates that the request renders; those it cannot resolve are for the child to refuse."""
    roots = []
    for channel in request.channels:
        try:
            roots.append(resolve_template(request.workflow, channel, request.templates))
        except RenderRefused:
            continue
    return roots
