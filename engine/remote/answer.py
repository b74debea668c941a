"""A server's answer while it arrives: what comes before the code is left out, the fence ends it.

A server cannot be made to begin with the fence, so its model may greet first, think aloud, or
forget the fence. What comes out of here looks as if it had begun with the fence of its target.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from engine.errors import VisCodexError
from engine.loops import TextLoopGuard
from engine.tasks import FENCE, TASK_OF_FENCE, TASKS, Task, task_of_code

LONGEST = 1_000_000  # characters; a server that goes on after that is not waited for
LANGUAGES = {**TASK_OF_FENCE, **TASKS, "py": TASKS["matplotlib"], "htm": TASKS["html"]}

_LOOK_BACK = 64  # characters: a closing fence may come in several pieces
_CLOSING = re.compile(r"\n[ \t]*```")
_THOUGHT = re.compile(r"\A\s*<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
# A fence opens on a line of its own, or ends a line of chatter with the name of a language.
_OPENING = re.compile(
    r"^(?:[ \t]*```[ \t]*(?P<lang>[\w+-]*)[^\n`]*|[^\n`]*```(?P<late>[\w+-]+)[ \t]*)\n",
    re.MULTILINE,
)
# Code without a fence, strictly: "from the picture I see" is no import.
_BARE = {
    "html": re.compile(r"\A\s*(?=<!DOCTYPE\s|<html\b)", re.IGNORECASE),
    "matplotlib": re.compile(r"\A\s*(?=import \w+|from [\w.]+ import )"),
}
_BARE_END = {"html": re.compile(r"</html>", re.IGNORECASE)}


@dataclass
class RemoteAnswer:
    """Takes text piece by piece. `wanted` is the target, None where the model chooses.

    `task` is known as soon as text comes out. `reason` is set when nothing more should be read:
    fence (the block is closed), stop (bare code is complete), loop (it repeats itself), length (it
    goes on and on).
    """

    wanted: Task | None
    task: Task | None = None
    reason: str = ""
    _head: str = ""  # what came before the code; "" once that has begun
    _tail: str = ""
    _length: int = 0
    _closing: re.Pattern[str] = field(default=_CLOSING)
    _guard: TextLoopGuard = field(default_factory=TextLoopGuard)

    def take(self, text: str) -> str:
        """The part of the answer that has become certain, up to and with the closing fence."""
        self._length += len(text)
        if self.reason:
            return ""
        out = self._go_on(text) if self.task is not None else self._begin(text)
        if not self.reason and self._guard.repeats(text):
            self.reason = "loop"
        elif not self.reason and self._length > LONGEST:
            self.reason = "length"
        return out

    def finish(self) -> str:
        """The end of the text: what can still be made of an answer whose code never began.

        Raises VisCodexError(no_code) where it holds none.
        """
        if self.task is not None:
            return ""
        head = _THOUGHT.sub("", self._head)
        task = self.wanted
        for candidate in [task] if task else list(TASKS.values()):
            try:
                code = candidate.extract(head)
            except VisCodexError:
                continue
            self.task = task or task_of_code(code)
            return f"{self.task.prefill}{code}{FENCE}"
        return (task or TASKS["html"]).extract(head)  # raises: nothing was found above

    @property
    def silent(self) -> bool:
        """Whether not a single letter has come."""
        return self.task is None and not self._head.strip()

    def _begin(self, text: str) -> str:
        self._head += text
        head = _THOUGHT.sub("", self._head)
        for name, pattern in _BARE.items():
            if (bare := pattern.match(head)) and self.wanted in (None, TASKS[name]):
                self._closing = _BARE_END.get(name, _CLOSING)
                return self._open(TASKS[name], head[bare.end() :])
        place = 0
        while opening := _OPENING.search(head, place):
            name = (opening["lang"] or opening["late"] or "").lower()
            body = head[opening.end() :]
            if name and not self._accepts(name):  # say, a block of shell commands: past its end
                closing = _CLOSING.search(head, opening.end() - 1)
                if not closing:
                    return ""
                place = closing.end()
                continue
            task = self.wanted or LANGUAGES.get(name)
            if task is None:  # a fence that names no language: the code tells
                if not body.strip():
                    return ""
                task = TASKS["html" if body.lstrip().startswith("<") else "matplotlib"]
            return self._open(task, body)
        return ""

    def _accepts(self, name: str) -> bool:
        task = LANGUAGES.get(name)
        return task is not None and self.wanted in (None, task)

    def _open(self, task: Task, body: str) -> str:
        self.task, self._head, self._tail = task, "", task.prefill
        return task.prefill + self._go_on(body)

    def _go_on(self, text: str) -> str:
        known = len(self._tail)
        joined = self._tail + text
        closing = self._closing.search(joined)
        if closing:
            bare = self._closing is not _CLOSING
            self.reason = "stop" if bare else "fence"
            return joined[known : closing.end()] + (f"\n{FENCE}" if bare else "")
        self._tail = joined[-_LOOK_BACK:]
        return text
