"""Both engines' answers to the corpus: {template: {name of the value: text, or None where it is refused}}."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from liquid.exceptions import LiquidError

from shared.notification.models import Channel
from tests.liquid_comparison.corpus import TEMPLATES, VALUES
from worker.rendering.channel_limits import limits_for
from worker.rendering.context import OutputBuffer, PlainDataContext, Rendering
from worker.rendering.environments import TEXT_PARSER
from worker.rendering.text_marks import unmark

Answers = Mapping[str, Mapping[str, str | None]]

_HERE: Final = Path(__file__).parent
_LIQUIDJS: Final = _HERE.parents[1] / "build" / "liquidjs" / "node_modules" / "liquidjs"
RECORDED: Final = _HERE / "answers.json"


def why_liquidjs_cannot_answer() -> str | None:
    """None if it can."""
    if shutil.which("node") is None:
        return "node is not installed"
    return None if _LIQUIDJS.is_dir() else "LiquidJS is not there: tests/liquid_comparison/get_liquidjs"


def ask_liquidjs() -> str:
    """LiquidJS's answers, as they are recorded: JSON."""
    question = json.dumps({"templates": TEMPLATES, "values": VALUES})
    node = shutil.which("node") or "node"
    return subprocess.run(
        [node, str(_HERE / "answer.cjs"), str(_LIQUIDJS)],
        input=question,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"TZ": "UTC"},
    ).stdout


def recorded_answers() -> Answers:
    answers: Answers = json.loads(RECORDED.read_text())
    return answers


def our_answers() -> Answers:
    """What our templates write in a text channel, before the channel takes the template's tags."""
    return {template: {name: _write(template, value) for name, value in VALUES.items()} for template in TEMPLATES}


def _write(template: str, value: Any) -> str | None:
    rendering = Rendering({}, limits_for(Channel.PUSH), ["corpus"], TEXT_PARSER.parse)
    try:
        parsed = TEXT_PARSER.parse(template).template
        context = PlainDataContext(parsed, globals={"v": value})
        context.rendering = rendering
        buffer = OutputBuffer(rendering, rendering.limits.raw_size)
        parsed.render_with_context(context, buffer)
    except LiquidError:
        return None
    return unmark(buffer.getvalue())


if __name__ == "__main__":
    RECORDED.write_text(ask_liquidjs())
