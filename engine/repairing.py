"""A client whose charts are run before they count, and written again where they fail."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from engine.errors import VisCodexError
from engine.images import load_picture
from engine.improve import DEFAULT_REPAIRS, REPAIRABLE, Drawn, Judge, better, repair_request
from engine.protocol import (
    Cancelled,
    ConvertRequest,
    Done,
    Error,
    Event,
    Revised,
    Target,
    TextRead,
    Token,
)
from engine.render.drawing import Drawer
from engine.tasks import TASKS


class Client(Protocol):
    """What this needs of `EngineClient` or `RemoteClient`."""

    @property
    def takes_instructions(self) -> bool: ...

    def convert(self, request: ConvertRequest) -> Iterable[Event]: ...

    def cancel(self) -> None: ...


@dataclass
class _Attempt:
    """One answer as it was heard, and what came of drawing it."""

    target: str
    answer: str = ""
    end: Done | Error | Cancelled | None = None
    drawn: Drawn | None = None


class Repairer:
    """Serves conversions of a client; `cancel` and `close` belong to it, the client to others."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._drawer = Drawer()
        self._stopped = threading.Event()
        self._lines: TextRead | None = None

    def close(self) -> None:
        """End the renderers."""
        self._drawer.close()

    def cancel(self) -> None:
        """Stop the conversion that runs, whether it is written or drawn just now."""
        self._stopped.set()
        self._client.cancel()
        self._drawer.close()  # a script that still runs ends with its process

    def convert(self, request: ConvertRequest) -> Iterator[Event]:
        """The events of one answer; `revised` where it gives way to another.

        Targets without repairs pass as they are. A repair counts only where it measures better.
        """
        self._stopped.clear()
        self._lines = None
        best = _Attempt(request.target)
        yield from self._write(request, best)
        repairs = DEFAULT_REPAIRS.get(best.target, 0)
        if isinstance(best.end, Done) and repairs:
            best.drawn = self._judge(request, best)
        for turn in range(1, repairs + 1):
            problem = best.drawn.problem if best.drawn is not None else None
            if best.drawn is None or problem is None or problem.code not in REPAIRABLE:
                break
            if self._stopped.is_set():
                break
            yield Revised("", f"{problem.message.rstrip('.')}; trying again")
            again = repair_request(
                request, best.drawn, turn, takes_instructions=self._client.takes_instructions
            )
            attempt = _Attempt(best.target)
            yield from self._write(again, attempt)
            if isinstance(attempt.end, Done):
                attempt.drawn = self._judge(request, attempt)
            if attempt.drawn is not None and better(attempt.drawn, best.drawn):
                best = attempt
            else:
                yield Revised(best.answer, "")
        if self._stopped.is_set() and not isinstance(best.end, Error):
            yield Cancelled()
        elif best.end is not None:
            yield best.end

    def _write(self, request: ConvertRequest, attempt: _Attempt) -> Iterator[Event]:
        """Pass the events on and remember the answer; the final one is kept back."""
        for event in self._client.convert(request):
            if isinstance(event, (Done, Error, Cancelled)):
                if isinstance(event, Done):
                    attempt.target = str(event.stats.get("target") or attempt.target)
                attempt.end = event
                return
            if isinstance(event, Token):
                attempt.answer += event.text
            elif isinstance(event, Target):
                attempt.target = event.name
            elif isinstance(event, TextRead):
                self._lines = event
            yield event

    def _judge(self, request: ConvertRequest, attempt: _Attempt) -> Drawn:
        lines = self._lines.lines if self._lines is not None else []
        try:
            code = TASKS[attempt.target].extract(attempt.answer)
            judge = Judge(self._drawer, load_picture(request.image), lines)
        except VisCodexError as error:
            return Drawn("", attempt.target, problem=error)
        return judge.judge(code, attempt.target)
