"""What callers hold instead of an EngineClient when the model is on a server.

The picture is prepared and its text is read on this machine, as for a local model; picture, text
and instruction then go to the server as one chat turn. All methods may be called from any thread;
requests are served one after the other.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from engine import protocol
from engine.client import EngineClient
from engine.errors import ErrorCode, VisCodexError
from engine.hints import TextLine, format_hints, worth_giving
from engine.images import ImageLimits, load_picture, to_grid
from engine.models.card import ModelCard
from engine.prompt import HINTS_EXPLAINED, instruction_for, seen_region
from engine.protocol import ConvertRequest, Event
from engine.remote.answer import RemoteAnswer
from engine.remote.chat import REASONS, Delta, chat_body, data_url
from engine.remote.failures import EMPTY, USED_UP, failure
from engine.remote.http import Patience, ServerFacts, ask, ask_models
from engine.remote.running import Running
from engine.remote.server import Server
from engine.tasks import TASKS, Task, task_of_code

PROBE = Patience(connect=10.0, silence=15.0)
# As for a local model without a card: general, with picture sizes of a few hundred kB.
GENERAL = ModelCard(
    name="server",
    system="You are a helpful assistant.",
    image=ImageLimits(factor=28, min_tokens=256, max_tokens=1536),
)


def probe(server: Server, patience: Patience = PROBE) -> ServerFacts:
    """Ask a server for its models; the test of an address and a key. Raises VisCodexError."""
    return asyncio.run(ask_models(server, patience))


class RemoteClient:
    """One model on one server; `model` may be "" where the server has only one.

    As with EngineClient every request ends with exactly one of `done`, `cancelled` and `error` (a
    start with `ready`), and errors come as events. In the figures of `done`, `load` is the time it
    took to ask for the model's name, `encode` that until the server began to answer, and `tokens`
    are pieces of the answer where the server does not count for us.
    """

    def __init__(
        self,
        server: Server,
        model: str = "",
        *,
        card: ModelCard = GENERAL,
        patience: Patience | None = None,
        reader: EngineClient | None = None,
    ) -> None:
        """`reader` reads the text of pictures (default: one of our own); `close` closes it."""
        self.server = server
        self._card = replace(card, name=model or card.name)
        self._model = model
        self._patience = patience or Patience()
        self._reader = reader or EngineClient()
        self._busy = threading.Lock()  # held for the length of a request
        self._state = threading.Lock()  # held for moments
        self._running: Running | None = None
        self._closed = False

    def __enter__(self) -> RemoteClient:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()

    @property
    def model_name(self) -> str:
        """The name of the model; "" as long as the server has not been asked."""
        return self._model

    writes_several = False  # candidates are asked for one by one
    takes_instructions = True
    best_of = 1
    reach = None  # a server does not tell at what size its model sees pictures

    def start(self) -> Iterator[Event]:
        """Ask the server which models it has. Yields `loading`, then `ready`."""
        yield from self._serve(self._begin)

    def warm_up(self) -> Iterator[Event]:
        """The same under the name that the application gives it."""
        return self.start()

    def convert(self, request: ConvertRequest) -> Iterator[Event]:
        """Serve a request. Reading text alone needs no server."""
        yield from self._serve(lambda running: self._convert(request, running))

    def read_text(self, picture: Image.Image | Path | bytes) -> list[TextLine]:
        """The text in a picture, read on this machine. Raises VisCodexError."""
        return self._reader.read_text(picture)

    def test(self) -> ServerFacts:
        """The server's models and how long it took to name them. Raises VisCodexError."""
        return probe(self.server)

    def cancel(self) -> None:
        """Stop the running request; it ends as cancelled at once, whatever the server does."""
        with self._state:
            running = self._running
        if running is not None and running.cancel():
            self._reader.cancel()

    def close(self) -> None:
        """End everything. A running request ends as cancelled; later ones are refused."""
        with self._state:
            self._closed = True
            running = self._running
        if running is not None:
            running.cancel()
        self._reader.close()

    # One request --------------------------------------------------------------------------------

    def _serve(self, work: Callable[[Running], None]) -> Iterator[Event]:
        with self._busy:
            running = Running(work)
            with self._state:
                closed = self._closed
                self._running = running
            try:
                if closed:
                    error = VisCodexError(ErrorCode.internal, "The engine was closed.")
                    yield protocol.Error.of(error)
                    return
                yield from running.events()
            finally:
                with self._state:
                    self._running = None

    def _begin(self, running: Running) -> None:
        """Find out the model, and whether the server is there at all."""
        running.emit(protocol.Loading(0.0))
        facts = running.wait_for(ask_models(self.server, PROBE))
        name = self._model or self._only(facts)
        context = dict(zip(facts.models, facts.contexts, strict=True)).get(name, 0)
        self._model = name
        running.emit(protocol.Ready(name, self.server.host, context))

    def _only(self, facts: ServerFacts) -> str:
        if len(facts.models) == 1:
            return facts.models[0]
        names = ", ".join(facts.models[:8]) + (", …" if len(facts.models) > 8 else "")
        raise VisCodexError(
            ErrorCode.server_address,
            f"{self.server.host} has "
            + (f"several models: {names}." if names else "no model to offer."),
            "Choose one of them with --model." if names else "Load one there.",
        )

    def _convert(self, request: ConvertRequest, running: Running) -> None:
        if request.target == "text":
            for event in self._reader.convert(request):
                running.emit(event)
            return
        clock = _Clock()
        picture = load_picture(request.image)
        seen = to_grid(picture, self._card.image)
        if self.server.notice:
            running.emit(protocol.Notice(self.server.notice))
        load = 0.0
        if not self._model:
            began = clock.now()
            self._begin(running)
            load = clock.now() - began
            clock.leave_out(load)
        running.emit(protocol.Encoding(0.0))
        lines = self._read(request, picture, running, clock)
        scale = (seen.width / picture.width, seen.height / picture.height)
        if not worth_giving(lines, (request.hints, self._card.hints), scale[1]):
            lines = []
        task = _task(request)
        region = seen_region(request.region, scale)
        body = self._body(request, task, format_hints(lines, scale), seen, region)
        exchange = _Exchange(running, RemoteAnswer(task), clock)
        running.wait_for(ask(self.server, body, self._patience, exchange.answered, exchange.take))
        if exchange.answer.silent:
            raise failure(USED_UP if exchange.reason == "length" else EMPTY, self.server)
        exchange.finish({"load": round(load, 4), "image_size": list(seen.size)})

    def _read(
        self, request: ConvertRequest, picture: Image.Image, running: Running, clock: _Clock
    ) -> list[TextLine]:
        """The text of the picture; none where reading fails, which costs only the hints."""
        mode = self._card.hints if request.hints == "auto" else request.hints
        clock.marks["hints"] = 0.0
        if mode == "never":
            return []
        began = clock.now()
        try:
            lines = self._reader.read_text(picture)
        except VisCodexError:
            lines = []
        clock.marks["hints"] = clock.now() - began
        running.emit(protocol.TextRead(lines))
        return lines

    def _body(
        self,
        request: ConvertRequest,
        task: Task | None,
        hints: str,
        seen: Image.Image,
        region: tuple[float, float, float, float] | None,
    ) -> dict[str, Any]:
        card = self._card
        explained = HINTS_EXPLAINED if hints and card.prompt == "full" else ""
        instruction = instruction_for(task, request.refine, card.prompt == "short", region)
        temperature = request.temperature
        if temperature is None:
            temperature = float(card.sampling.get("temperature", 0.0))
        longest = request.max_tokens or int(card.sampling.get("max_tokens", 0)) or None
        return chat_body(
            self._model,
            card.system,
            data_url(seen),
            hints + explained + instruction,
            seed=request.seed,
            temperature=temperature,
            max_tokens=longest,
        )


def _task(request: ConvertRequest) -> Task | None:
    """What to write; None where the model is to choose."""
    if request.target != "auto":
        return TASKS[request.target]
    return None if request.refine is None else task_of_code(request.refine[1])


class _Clock:
    """Seconds since the start of a request, by name; a name keeps its first time."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.marks: dict[str, float] = {}

    def now(self) -> float:
        return time.perf_counter() - self._began

    def leave_out(self, seconds: float) -> None:
        """What is counted on its own."""
        self._began += seconds

    def mark(self, name: str) -> None:
        self.marks.setdefault(name, self.now())


@dataclass
class _Exchange:
    """An answer on its way from the server's messages to events."""

    running: Running
    answer: RemoteAnswer
    clock: _Clock
    pieces: int = 0
    reason: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    _told: bool = False

    def answered(self) -> None:
        self.clock.mark("encode")

    def take(self, delta: Delta) -> bool:
        """Take over a message; True where nothing more needs to be read."""
        if delta.tokens is not None:
            self.counts["tokens"] = delta.tokens
        if delta.prompt_tokens is not None:
            self.counts["prompt_tokens"] = delta.prompt_tokens
        if delta.reason is not None:
            self.reason = REASONS.get(delta.reason, "stop")
        if delta.text:
            if not self.pieces:
                self.clock.mark("first_token")
                self.running.emit(protocol.Encoding(1.0))
            self.pieces += 1
            self._emit(self.answer.take(delta.text))
        return bool(self.answer.reason)

    def finish(self, more: dict[str, Any]) -> None:
        """The last text and the figures."""
        self._emit(self.answer.finish())
        task = self.answer.task
        assert task is not None
        reason = self.answer.reason or self.reason or "stop"
        total, first = self.clock.now(), self.clock.marks["first_token"]
        tokens = self.counts.get("tokens") or self.pieces
        writing = total - first
        stats = {
            **more,
            **{name: round(value, 4) for name, value in self.clock.marks.items()},
            "total": round(total, 4),
            "prompt_tokens": self.counts.get("prompt_tokens", 0),
            "reused_tokens": 0,
            "tokens": tokens,
            "tokens_per_second": round((tokens - 1) / writing, 2) if writing > 0 else 0.0,
            "finish_reason": reason,
            "target": task.name,
        }
        self.running.emit(protocol.Done(reason, stats))

    def _emit(self, text: str) -> None:
        if not text:
            return
        task = self.answer.task
        if task is not None and self.answer.wanted is None and not self._told:
            self._told = True
            self.running.emit(protocol.Target(task.name, None))
        self.running.emit(protocol.Token(text))
