"""An engine client that plays a script. Only for what a real engine does not do on demand."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from PIL import Image

from engine import protocol
from engine.errors import ErrorCode

PAGE = "<!DOCTYPE html>\n<html>\n<body>\n<h1>Hello</h1>\n</body>\n</html>"
STATS = {"tokens": 9, "tokens_per_second": 30.0, "target": "html"}


def answer(code: str = PAGE, fence: str = "html", size: int = 7) -> list[Any]:
    """The events of one whole conversion."""
    text = f"```{fence}\n{code}\n```"
    name = "html" if fence == "html" else "matplotlib"
    return [
        protocol.Encoding(0.5),
        protocol.Encoding(1.0),
        protocol.Target(name, 0.97),
        *[protocol.Token(text[i : i + size]) for i in range(0, len(text), size)],
        protocol.Done("stop", {**STATS, "target": name}),
    ]


DIED = protocol.Error(ErrorCode.worker_died, "The model process stopped.", "Try again.")
WAIT = object()
"""In a script: wait until the conversion is cancelled or let go."""


class ScriptedClient:
    """Plays one script for each conversion. `go` ends a WAIT as if the engine went on."""

    takes_instructions = True
    goes_on = True

    def __init__(self, *scripts: Iterable[Any]) -> None:
        self.scripts = [list(script) for script in scripts]
        self.requests: list[Any] = []
        self.appraised: list[str] = []
        self.matched: list[tuple[Any, ...]] = []
        self.cancelled = threading.Event()
        self.go = threading.Event()
        self.closed = False
        self.graphics = False  # whether a graphics card is in use
        self.loads = 0

    def warm_up(self) -> Iterator[Any]:
        self.loads += 1
        yield protocol.Loading(1.0)
        device = "Vulkan0" if self.graphics else "CPU, 2 threads"
        yield protocol.Ready("scripted", device, 4096, graphics=self.graphics)

    def leave_graphics(self) -> None:
        self.graphics = False

    def convert(self, request: Any) -> Iterator[Any]:
        self.requests.append(request)
        return self._play(self.scripts.pop(0))

    def _play(self, script: list[Any]) -> Iterator[Any]:
        self.cancelled.clear()
        for event in script:
            if event is WAIT:
                while not self.go.wait(0.01) and not self.cancelled.is_set():
                    pass
                self.go.clear()
                continue
            if self.cancelled.is_set():
                yield protocol.Cancelled()
                return
            if isinstance(event, Exception):
                raise event
            yield event

    def appraise(self, image: bytes, code: str, target: str, lines: Any) -> Iterator[Any]:
        """Half alike, in red."""
        self.appraised.append(code)
        yield protocol.CandidateDrawn(0, 1, code, target, coloured(0), {"total": 0.5})

    def match(self, *asked: Any) -> Iterator[Any]:
        """Plays a script like a conversion."""
        self.matched.append(asked)
        return self._play(self.scripts.pop(0))

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self.closed = True
        self.cancelled.set()


def several(*candidates: tuple[str, float | None], best: str) -> list[Any]:
    """The events of a conversion with candidates (code, likeness), of which `best` is chosen."""
    return [*answer(best)[:-1], *compared(*candidates), answer(best)[-1]]


def compared(*candidates: tuple[str, float | None]) -> list[Any]:
    """The events of drawing and comparing candidates (code, likeness)."""
    count = len(candidates)
    events: list[Any] = []
    for number, (code, total) in enumerate(candidates):
        events.append(protocol.Comparing(number, count))
        events.append(
            protocol.CandidateDrawn(
                number, count, code, "html",
                None if total is None else coloured(number),
                None if total is None else {"total": total, "layout": total, "text": None},
                "" if total is not None else "It draws nothing.",
            )
        )  # fmt: skip
    return events


def together(*codes: str, size: int = 7, cut: frozenset[int] = frozenset()) -> list[Any]:
    """The events of writing candidates side by side, up to the last one's end; those of the
    numbers `cut` end at the length limit."""
    texts = [f"```html\n{code}\n```" for code in codes]
    events: list[Any] = [protocol.Encoding(1.0), protocol.Target("html", 0.97)]
    for place in range(0, max(map(len, texts)), size):
        for number, text in enumerate(texts):
            if place < len(text):
                events.append(protocol.Token(text[place : place + size], number))
            if 0 <= place + size - len(text) < size:
                reason = "length" if number in cut else "fence"
                events.append(protocol.CandidateDone(number, reason))
    return events


def matched(before: str, after: str) -> list[Any]:
    """The events of code that is changed by what is measured."""
    return [
        protocol.Comparing(0, 1),
        protocol.Revised(f"```html\n{before}\n```", "Reading the colours of the picture"),
        protocol.Revised(f"```html\n{after}\n```", ""),
        protocol.CandidateDrawn(0, 1, after, "html", coloured(0), {"total": 0.8}),
        protocol.Done("stop", {"target": "html"}),
    ]


def coloured(number: int) -> bytes:
    """A picture in a colour of its own."""
    buffer = io.BytesIO()
    Image.new("RGB", (120, 80), ("red", "green", "blue", "orange")[number % 4]).save(buffer, "PNG")
    return buffer.getvalue()
