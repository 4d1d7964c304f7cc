"""The built-in example: several days of a synthetic town, played like a stream."""

import json
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from sources.collector import Batch, NewPost, SourceFaultError
from sources.policy import SourcePolicy

POLICY = SourcePolicy(
    platform="example",
    basis="Written for this project: invented people, groups and places.",
    keep=timedelta(days=30),
    deletions="Nobody in it is real, so nothing is ever taken back.",
    share=True,
    training=False,
)
STORY = files("sources") / "example_town.jsonl"
TICK = 1.0  # seconds between batches


@dataclass(frozen=True, slots=True)
class _Line:
    minute: int  # since the story's start
    id: str
    author: str
    text: str
    reply_to: str | None


class ExampleTown:
    """Plays the story at ``speed`` story minutes a real minute.

    The story is dated so that it ends at the moment when it is first played. The cursor is
    {"began": when the story starts (ISO), "minute": how far it has been played, "next": line}.
    """

    platform = "example"

    def __init__(
        self,
        *,
        speed: float,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
        story: Traversable = STORY,
    ) -> None:
        if speed <= 0:
            raise ValueError("the example needs a speed above 0")
        self.speed = speed
        self.clock = clock
        self.sleep = sleep
        self.story = story

    def batches(self, cursor: dict[str, Any] | None) -> Generator[Batch]:
        """About one batch a second until the story is over; goes on where ``cursor`` stopped."""
        lines = self._lines()
        now = self.clock()
        if cursor is None:
            began, minute, position = now - timedelta(minutes=lines[-1].minute), 0.0, 0
        else:
            began = datetime.fromisoformat(cursor["began"])
            minute, position = cursor["minute"], cursor["next"]
        while True:
            due = position
            while due < len(lines) and lines[due].minute <= minute:
                due += 1
            yield Batch(
                [_post(line, began) for line in lines[position:due]],
                {"began": began.isoformat(), "minute": minute, "next": due},
                last=due == len(lines),
            )
            if due == len(lines):
                return
            position = due
            self.sleep(TICK)
            before, now = now, self.clock()
            minute += (now - before) / timedelta(minutes=1) * self.speed

    def _lines(self) -> list[_Line]:
        try:
            text = self.story.read_text(encoding="utf-8")
            lines = [_Line(**json.loads(line)) for line in text.splitlines() if line.strip()]
        except (OSError, ValueError, TypeError) as fault:
            raise SourceFaultError(f"The example story cannot be read: {fault}.") from fault
        if not lines:
            raise SourceFaultError("The example story is empty.")
        return lines


def _post(line: _Line, began: datetime) -> NewPost:
    return NewPost(
        uri=f"example:{line.id}",
        author=line.author,
        text=line.text,
        posted_at=began + timedelta(minutes=line.minute),
        lang="en",
        reply_to=line.reply_to and f"example:{line.reply_to}",
    )
