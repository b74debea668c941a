"""Small requests to the engine beside the conversions: text to read, code to draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from app.bridge import EngineBridge
from app.incoming import failure_of
from app.session import Failure, Picture

Take = Callable[[Any], None]


class Asides:
    """Requests with negative numbers, whose events belong to no conversion.

    They wait in the same queue: never more than a moment, and never in the way of a cancel.
    """

    def __init__(self, bridge: EngineBridge, make_request: Callable[..., Any]) -> None:
        self._bridge = bridge
        self._make_request = make_request
        self._number = 0
        self._takers: dict[int, tuple[Take, Callable[[Failure], None]]] = {}

    def read_text(self, picture: Picture, took: Take, failed: Callable[[Failure], None]) -> None:
        """Read the text of a picture; `took` gets the lines."""
        request = self._make_request(picture, "text")
        self._ask(
            lambda client: client.convert(request),
            lambda event: took(event.lines) if event.event == "text_read" else None,
            failed,
        )

    def appraise(
        self, picture: Picture, code: str, target: str, lines: Sequence[Any], took: Take
    ) -> None:
        """Draw code and compare it with a picture; `took` gets the event `candidate_drawn`.

        Nothing is told of a failure: what cannot be drawn has no picture, that is all.
        """
        png = picture.png
        self._ask(
            lambda client: client.appraise(png, code, target, list(lines)), took, lambda _: None
        )

    def take(self, run: int, event: Any) -> None:
        """An event that came with a negative number, an Exception, or None at the end."""
        if event is None:
            self._takers.pop(run, None)
            return
        taker = self._takers.get(run)
        if taker is None:
            return
        took, failed = taker
        if isinstance(event, Exception):
            failed(failure_of(event))
        elif event.event == "error":
            failed(Failure(getattr(event.code, "value", event.code), event.message))
        else:
            took(event)

    def _ask(self, work: Any, took: Take, failed: Callable[[Failure], None]) -> None:
        self._number -= 1
        self._takers[self._number] = (took, failed)
        self._bridge.ask(self._number, work)
