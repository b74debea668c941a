"""What callers hold instead of an EngineClient when the model is on a server.

The picture is prepared and its text is read on this machine, as for a local model; picture, text
and instruction then go to the server as one chat turn. All methods may be called from any thread;
requests are served one after the other.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from engine import protocol
from engine.client import EngineClient
from engine.errors import ErrorCode, VisCodexError
from engine.grammar import fenced
from engine.hints import TextLine, format_hints, worth_giving
from engine.images import ImageLimits, load_picture, to_grid
from engine.models.card import ModelCard
from engine.prompt import HINTS_EXPLAINED, instruction_for, seen_region
from engine.protocol import ConvertRequest, Event, variants
from engine.remote.answer import RemoteAnswer
from engine.remote.chat import chat_body, data_url
from engine.remote.exchange import Clock, Exchange, figures
from engine.remote.http import Patience, ServerFacts, ask, ask_models
from engine.remote.running import Running
from engine.remote.server import Server
from engine.tasks import TASKS, Task, task_of_code

MOST_AT_ONCE = 4  # answers that are asked for at the same time
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
        self._facts: ServerFacts | None = None  # as long as nobody asked for them
        self._closed = False

    def __enter__(self) -> RemoteClient:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.close()

    @property
    def model_name(self) -> str:
        """The name of the model; "" as long as the server has not been asked."""
        return self._model

    takes_instructions = True
    goes_on = False  # not every server writes on where an answer was cut off
    best_of = 1
    corrected = False
    reach = None  # a server does not tell at what size its model sees pictures

    def start(self) -> Iterator[Event]:
        """Ask the server which models it has. Yields `loading`, then `ready`."""
        yield from self._serve(self._begin)

    def warm_up(self) -> Iterator[Event]:
        """The same under the name that the application gives it."""
        return self.start()

    def leave_graphics(self) -> None:
        """Nothing to do: what a server computes on is its own matter."""

    def convert(self, request: ConvertRequest) -> Iterator[Event]:
        """Serve a request. Reading text alone needs no server.

        Raises VisCodexError(bad_input) for one that is begun: not every server writes on.
        """
        if request.begun:
            raise VisCodexError(
                ErrorCode.bad_input,
                "Servers do not go on with code that was cut off.",
                "Convert again, or use a model on this machine.",
            )
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
        facts = self._facts = running.wait_for(ask_models(self.server, PROBE))
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
        clock = Clock()
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
        task = _task(request)
        grammar = self._grammar(request, task, running)
        running.emit(protocol.Encoding(0.0))
        lines = self._read(request, picture, running, clock)
        scale = (seen.width / picture.width, seen.height / picture.height)
        if not worth_giving(lines, (request.hints, self._card.hints), scale[1]):
            lines = []
        text, url = self._text(request, task, lines, scale), data_url(seen)
        asked = replace(request, temperature=self._temperature(request))
        bodies = [self._body(one, url, text, grammar) for one in variants(asked)]
        exchanges = [
            Exchange(self.server, RemoteAnswer(task), clock, running.emit, number)
            for number in range(len(bodies))
        ]
        done = running.wait_for(self._ask_all(bodies, exchanges))
        more = {"load": round(load, 4), "image_size": list(seen.size)}
        running.emit(protocol.Done(done[0].reason, more | figures(done, clock)))

    async def _ask_all(
        self, bodies: Sequence[dict[str, Any]], exchanges: Sequence[Exchange]
    ) -> list[Exchange]:
        """Ask for all answers, MOST_AT_ONCE at a time; those that are code.

        Raises VisCodexError where none is: what went wrong with the first.
        """
        free = asyncio.Semaphore(MOST_AT_ONCE)

        async def one(body: dict[str, Any], exchange: Exchange) -> VisCodexError | None:
            async with free:
                try:
                    await ask(self.server, body, self._patience, exchange.answered, exchange.take)
                    exchange.finish()
                except VisCodexError as error:
                    if error.code is ErrorCode.cancelled:
                        raise
                    return error
            if len(bodies) > 1:
                exchange.emit(protocol.CandidateDone(exchange.number, exchange.reason))
            return None

        problems = await asyncio.gather(*map(one, bodies, exchanges))
        done = [one for one, problem in zip(exchanges, problems, strict=True) if problem is None]
        if not done and problems[0] is not None:
            raise problems[0]
        return done

    def _read(
        self, request: ConvertRequest, picture: Image.Image, running: Running, clock: Clock
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

    def _text(
        self,
        request: ConvertRequest,
        task: Task | None,
        lines: Sequence[TextLine],
        scale: tuple[float, float],
    ) -> str:
        hints, short = format_hints(lines, scale), self._card.prompt == "short"
        explained = HINTS_EXPLAINED if hints and self._card.prompt == "full" else ""
        region = seen_region(request.region, scale)
        return hints + explained + instruction_for(task, request.refine, short, region)

    def _temperature(self, request: ConvertRequest) -> float:
        if request.temperature is not None:
            return request.temperature
        return float(self._card.sampling.get("temperature", 0.0))

    def _grammar(self, request: ConvertRequest, task: Task | None, running: Running) -> str:
        """The grammar as the server takes it, "" where none is asked for.

        Other servers than llama.cpp's have other fields for it, or leave out what they do not know
        and answer as they like. Raises VisCodexError.
        """
        if request.grammar is None:
            return ""
        tasks = TASKS.values() if task is None else (task,)
        grammar = fenced(request.grammar, [one.prefill for one in tasks])
        if self._facts is None:
            self._facts = running.wait_for(ask_models(self.server, PROBE))
        if not self._facts.llama_server:
            raise VisCodexError(
                ErrorCode.bad_input,
                f"{self.server.host} takes no grammar.",
                "Leave the grammar out, or ask a llama-server.",
            )
        return grammar

    def _body(self, request: ConvertRequest, url: str, text: str, grammar: str) -> dict[str, Any]:
        card = self._card
        return chat_body(
            self._model,
            card.system,
            url,
            text,
            seed=request.seed,
            temperature=self._temperature(request),
            max_tokens=request.max_tokens or int(card.sampling.get("max_tokens", 0)) or None,
            grammar=grammar,
        )


def _task(request: ConvertRequest) -> Task | None:
    """What to write; None where the model is to choose."""
    if request.target != "auto":
        return TASKS[request.target]
    return None if request.refine is None else task_of_code(request.refine[1])
