"""One conversion from request to last token, inside the process that owns the model."""

from __future__ import annotations

import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine.cancel import CancelFlag
from engine.errors import ErrorCode, VisCodexError, tells_of_memory
from engine.grammar import fenced
from engine.hints import TextLine, format_hints, read, worth_giving
from engine.images import load_picture, to_grid
from engine.llama.answer import Answer
from engine.llama.ledger import ImageItem
from engine.llama.sampling import Sampling
from engine.llama.session import Prefilled, VisionSession
from engine.llama.vision import Chunks, picture_key
from engine.models.card import ModelCard
from engine.prompt import (
    CHATML,
    HINTS_EXPLAINED,
    Layout,
    PromptPart,
    build_prompt,
    instruction_for,
    seen_region,
)
from engine.protocol import (
    CandidateDone,
    ConvertRequest,
    Done,
    Encoding,
    Event,
    Prefilling,
    Target,
    TextRead,
    Token,
    variants,
)
from engine.reader import warm_up
from engine.tasks import FENCE, TASKS, Task, task_of_code
from engine.writing import write

Emit = Callable[[Event], None]

PICTURES_REMEMBERED = 16  # whose lines are kept: a few kilobytes each
LEAST_ANSWER = 512  # cells kept free for the answer when hints are many


Reading = tuple[list[TextLine] | Exception, float]  # lines, or what failed; and the seconds


class TextReader:
    """Reads pictures on a thread of its own, one after the other; a failure gives no lines.

    Pictures read before are remembered: a second request for one costs no reading.
    """

    def __init__(self, flag: CancelFlag) -> None:
        self._flag = flag
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")
        self._known: OrderedDict[str, list[TextLine]] = OrderedDict()

    def warm_up(self) -> None:
        """Load the reader in the background."""
        self._pool.submit(_warm_up)

    def start(self, picture: Image.Image) -> Future[Reading]:
        """Begin to read an RGB picture."""
        return self._pool.submit(self._read, picture)

    def _read(self, picture: Image.Image) -> Reading:
        began = time.perf_counter()
        key = picture_key(picture)
        lines = self._known.pop(key, None)
        if lines is None:
            try:
                lines = read(picture)
            except Exception as error:  # which costs the hints, never the conversion
                return error, time.perf_counter() - began
        self._known[key] = lines
        while len(self._known) > PICTURES_REMEMBERED:
            self._known.popitem(last=False)
        return lines, time.perf_counter() - began

    def wait(self, future: Future[Reading]) -> Reading:
        """The result. Raises VisCodexError(cancelled) without waiting for the reader to end."""
        while True:
            if self._flag.is_set():
                future.cancel()
                raise VisCodexError(ErrorCode.cancelled, "Cancelled.")
            try:
                return future.result(timeout=0.02)
            except NotYet:
                continue


def _warm_up() -> None:
    with contextlib.suppress(Exception):  # the first reading will meet it again
        warm_up()


def read_text(image: Path | bytes, reader: TextReader, emit: Emit) -> None:
    """The text in a picture, as an event of its own and nothing else."""
    began = time.perf_counter()
    lines, seconds = reader.wait(reader.start(load_picture(image)))
    if isinstance(lines, Exception):
        if isinstance(lines, MemoryError) or tells_of_memory(str(lines)):
            raise VisCodexError(
                ErrorCode.out_of_memory,
                "There is not enough memory to read the text.",
                "Close other programs, or snip a smaller region.",
            )
        raise VisCodexError(
            ErrorCode.internal,
            "The text reader failed.",
            "Run `viscodex doctor`; rapidocr and onnxruntime must be installed.",
        )
    emit(TextRead(lines))
    total = time.perf_counter() - began
    emit(Done("read", {"hints": seconds, "total": total, "finish_reason": "read"}))


def _steps(emit: Emit, kind: type[Encoding] | type[Prefilling]) -> Callable[[float], None]:
    """Tells progress in events, some at a time; that the whole is done is told elsewhere."""
    shown = 0.0

    def progress(part: float) -> None:
        nonlocal shown
        if part < 1.0 and part - shown >= 0.02:
            shown = part
            emit(kind(round(part, 3)))

    return progress


@dataclass
class _Clock:
    """Seconds since the start of a request, by name; and how long an answer may be, in tokens."""

    began: float = field(default_factory=time.perf_counter)
    marks: dict[str, float] = field(default_factory=dict)
    limit: int = 0
    room: int = 0

    def now(self) -> float:
        return time.perf_counter() - self.began


class Converter:
    """A loaded model with its card. `convert` ends in a Done event, or raises VisCodexError."""

    def __init__(
        self,
        session: VisionSession,
        card: ModelCard,
        reader: TextReader,
        flag: CancelFlag,
        layout: Layout = CHATML,
    ) -> None:
        self.session = session
        self.card = card
        self.layout = layout
        self._reader = reader
        self._flag = flag

    def convert(self, request: ConvertRequest, emit: Emit, load_seconds: float = 0.0) -> None:
        """Answer a request for code. `load_seconds` is only passed on to the figures."""
        clock = _Clock()
        task = self._task(request)
        self.session.sampler(self._sampling(request)).close()  # a bad grammar is told at once
        picture = load_picture(request.image)
        seen = to_grid(picture, self.card.image)
        key = picture_key(seen)
        reading = None
        if self._wants_reading(request) and self.session.threads > 1:
            reading = self._reader.start(picture)

        emit(Encoding(0.0))
        looked = self._look(seen, key, emit)
        clock.marks["encode"] = clock.now()

        if reading is None and self._wants_reading(request):
            reading = self._reader.start(picture)
        lines: list[TextLine] = []
        clock.marks["hints"] = 0.0
        if reading is not None:
            found, clock.marks["hints"] = self._reader.wait(reading)
            lines = [] if isinstance(found, Exception) else found
            emit(TextRead(lines))
        scale = (seen.width / picture.width, seen.height / picture.height)
        if not worth_giving(lines, (request.hints, self.card.hints), scale[1]):
            lines = []

        chunks, given = self._prompt(request, task, lines, scale, seen, key)
        with chunks:
            prefilled = self.session.prefill(chunks, _steps(emit, Prefilling))
            image_cells = sum(i.cells for i in chunks.items if isinstance(i, ImageItem))
        if task is None:
            task, confidence = self._choose()
            emit(Target(task.name, confidence))
        answers = self._write(request, task, emit, clock)
        if looked.reused < looked.cells:  # the second step finds what the first has just done
            prefilled = Prefilled(prefilled.cells, looked.reused)
        stats = self._figures(clock, prefilled, answers, load_seconds)
        stats |= {
            "target": task.name,
            "image_tokens": image_cells,
            "image_size": list(seen.size),
            "hint_lines": given,
            "hints_left_out": len(lines) - given,
        }
        emit(Done(answers[0].reason, stats))

    # Steps --------------------------------------------------------------------------------------

    def _task(self, request: ConvertRequest) -> Task | None:
        """What to write; None where the model is to decide."""
        if request.target == "auto":
            if request.refine is not None:
                return task_of_code(request.refine[1])
            if request.begun:
                return task_of_code(request.begun)
            if len(self.card.targets) == 1:
                return TASKS[self.card.targets[0]]
            return None
        if request.target not in self.card.targets:
            raise VisCodexError(
                ErrorCode.bad_input,
                f"The model {self.card.name} does not write {request.target}.",
                f"It writes {', '.join(self.card.targets)}.",
            )
        return TASKS[request.target]

    def _wants_reading(self, request: ConvertRequest) -> bool:
        mode = self.card.hints if request.hints == "auto" else request.hints
        return mode != "never"

    def _look(self, seen: Image.Image, key: str, emit: Emit) -> Prefilled:
        """Bring everything up to the picture into the cache, while its text is read."""
        parts = build_prompt("", "", "", self.card.system, self.layout)
        head = parts[: 1 + next(i for i, part in enumerate(parts) if part.kind == "image")]
        with self.session.tokenize(head, seen, key) as chunks:
            looked = self.session.prefill(chunks, _steps(emit, Encoding), ahead=True)
        emit(Encoding(1.0))
        return looked

    def _prompt(
        self,
        request: ConvertRequest,
        task: Task | None,
        lines: list[TextLine],
        scale: tuple[float, float],
        seen: Image.Image,
        key: str,
    ) -> tuple[Chunks, int]:
        """The whole prompt, with as many lines of text as leave room for an answer; how many."""
        region = seen_region(request.region, scale)
        instruction = instruction_for(task, request.refine, self.card.prompt == "short", region)
        prefill = FENCE if task is None else task.prefill + request.begun
        room = self.session.context_cells - LEAST_ANSWER
        count = len(lines)
        while True:
            hints = format_hints(lines, scale, count)
            explained = HINTS_EXPLAINED if hints and self.card.prompt == "full" else ""
            parts: list[PromptPart] = build_prompt(
                hints, explained + instruction, prefill, self.card.system, self.layout
            )
            chunks = self.session.tokenize(parts, seen, key)
            taken = sum(i.cells if isinstance(i, ImageItem) else 1 for i in chunks.items)
            if taken <= room or count == 0:
                return chunks, count
            chunks.__exit__(None, None, None)
            count = min(count - 1, count * 3 // 4)

    def _choose(self) -> tuple[Task, float]:
        """What the model would rather write: softmax over the first token after the fence."""
        tasks = [TASKS[name] for name in self.card.targets]
        vocabulary = self.session.vocabulary
        firsts = [vocabulary.tokenize(task.fence, special=False)[0] for task in tasks]
        scores = self.session.logits()[firsts].astype(np.float64)
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        best = int(shares.argmax())
        for token in vocabulary.tokenize(tasks[best].prefill[len(FENCE) :], special=False):
            self.session.append(token)
        return tasks[best], round(float(shares[best]), 4)

    def _write(
        self, request: ConvertRequest, task: Task, emit: Emit, clock: _Clock
    ) -> list[Answer]:
        """Draw tokens until all answers that are wanted are complete."""
        old = None
        if request.refine is not None:
            code = f"{request.refine[1].rstrip()}\n{FENCE}"
            old = self.session.vocabulary.tokenize(code, special=False)
            request = replace(request, candidates=self._fitting(request.candidates, len(old)))
        free = self.session.free_cells // request.candidates
        if free < 1:
            raise VisCodexError(
                ErrorCode.context_full,
                f"The prompt fills the model's {self.session.context_cells} tokens.",
                "Snip a smaller region, or refine shorter code.",
            )
        wanted = request.max_tokens or int(self.card.sampling.get("max_tokens", 0)) or free

        def on_text(number: int, text: str) -> None:
            clock.marks.setdefault("first_token", clock.now())
            emit(Token(text, number))

        def on_step() -> None:
            if self._flag.is_set():
                raise VisCodexError(ErrorCode.cancelled, "Cancelled.")

        def on_end(number: int, reason: str) -> None:
            clock.marks.setdefault("first_token", clock.now())
            if request.candidates > 1:
                emit(CandidateDone(number, reason))

        for number in range(request.candidates):
            emit(Token(task.prefill + request.begun, number))
        clock.limit, clock.room = min(wanted, free), free
        return write(
            self.session,
            self._samplings(request),
            task.prefill + request.begun,
            clock.limit,
            # Guesses pay where a pass mostly waits for weights. A small model lies in the
            # processor's cache: there a row more costs as much as a pass more.
            old=None if self.session.small else old,
            on_text=on_text,
            on_step=on_step,
            on_end=on_end,
        )

    def _fitting(self, candidates: int, old: int) -> int:
        """How many answers find room for as much as the old code took, and some more."""
        return max(1, min(candidates, self.session.free_cells // (old + LEAST_ANSWER)))

    def _samplings(self, request: ConvertRequest) -> list[Sampling]:
        """How each candidate is drawn; what is not asked for is the card's."""
        asked = replace(request, temperature=self._sampling(request).temperature)
        return [self._sampling(one) for one in variants(asked)]

    def _sampling(self, request: ConvertRequest) -> Sampling:
        card: dict[str, Any] = dict(self.card.sampling)
        if request.temperature is not None:
            card["temperature"] = request.temperature
        default = Sampling()
        return Sampling(
            temperature=float(card.get("temperature", default.temperature)),
            top_k=int(card.get("top_k", default.top_k)),
            top_p=float(card.get("top_p", default.top_p)),
            min_p=float(card.get("min_p", default.min_p)),
            seed=request.seed,
            grammar="" if request.grammar is None else fenced(request.grammar),
        )

    def _figures(
        self, clock: _Clock, prefilled: Prefilled, answers: list[Answer], load_seconds: float
    ) -> dict[str, Any]:
        total = clock.now()
        first = clock.marks["first_token"]
        writing = total - first
        tokens = sum(answer.tokens for answer in answers)
        further = tokens - len(answers)
        speed = further / writing if further > 0 and writing > 0 else 0.0
        seconds = {
            "load": load_seconds,
            "encode": clock.marks["encode"],
            "hints": clock.marks["hints"],
            "first_token": first,
            "total": total,
        }
        return {
            **{name: round(value, 4) for name, value in seconds.items()},
            "prompt_tokens": prefilled.cells,
            "reused_tokens": prefilled.reused,
            "tokens": tokens,
            "limit": clock.limit,
            "room": clock.room,
            "tokens_per_second": round(speed, 2),
            "finish_reason": answers[0].reason,
        }
