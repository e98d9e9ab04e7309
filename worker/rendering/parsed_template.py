"""A template ready to render."""

from dataclasses import dataclass

from liquid import BoundTemplate

from worker.rendering.budget import STEP_COST


@dataclass(frozen=True, slots=True)
class ParsedTemplate:
    """`steps` counts its tags, outputs and expressions, those inside loops once."""

    template: BoundTemplate
    steps: int

    @property
    def cost(self) -> int:
        """What rendering it takes of the budget; loop bodies pay for each further pass themselves."""
        return STEP_COST * self.steps
