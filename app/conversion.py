"""One conversion without a window: events to progress, answer to code, code to picture."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.files import check_writable, write_whole
from app.status_line import StatusLine
from engine import protocol
from engine.client import EngineClient
from engine.compare import Similarity
from engine.errors import ErrorCode, VisCodexError
from engine.hints import TextLine
from engine.images import Loaded, read_picture
from engine.improve import Drawn
from engine.improver import Improver, Wishes
from engine.models.store import BUNDLED, find_model
from engine.tasks import TASKS

if TYPE_CHECKING:
    from engine.remote.client import RemoteClient

    Client = EngineClient | RemoteClient

TIMINGS = ("load", "encode", "first_token", "total", "tokens", "tokens_per_second")
UNFINISHED = {
    "length": "The answer was cut off at its longest length; --max-tokens allows more.",
    "loop": "The model repeated itself and was stopped.",
    "grammar": "The model has no token that the grammar allows there; the code is cut off.",
}


@dataclass(frozen=True)
class Job:
    """What `viscodex convert` was asked for; `refine` is (instruction, code).

    `model` is one of this machine ("" for the bundled one), or one of the `server` where that is an
    address ("" for its only one).
    """

    image: Path
    target: str = "auto"
    hints: str = "auto"
    model: str = ""
    mmproj: Path | None = None
    server: str | None = None
    refine: tuple[str, str] | None = None
    max_tokens: int | None = None
    seed: int = 0
    temperature: float | None = None
    grammar: str | None = None
    best_of: int | None = None  # None: as the model's card has it
    repair: int | None = None  # None: as many turns as suit the target
    split: bool = True  # convert pictures beyond the model's reach in parts too
    correct: bool = True  # by the picture, where the model's card asks for it
    unwalled: bool = False  # run charts where nothing shuts them in
    out: Path | None = None
    preview: Path | None = None

    def request(self) -> protocol.ConvertRequest:
        """What to ask the engine for. Raises VisCodexError(bad_input)."""
        return protocol.ConvertRequest(
            image=self.image,
            target=self.target,
            hints=self.hints,
            max_tokens=self.max_tokens,
            seed=self.seed,
            temperature=self.temperature,
            refine=self.refine,
            grammar=self.grammar,
        )

    def wishes(self, best_of: int) -> Wishes:
        """What to do beyond one answer; `best_of` is the model's own."""
        return Wishes(
            best_of=best_of if self.best_of is None else self.best_of,
            repairs=self.repair,
            split=self.split,
            correct=self.correct,
            draw=self.preview is not None,
            allow_unwalled=self.unwalled,
        )


@dataclass
class Outcome:
    """What came of a job. `timings` are seconds, but for `tokens` and `tokens_per_second`.

    `tried` is all code that was drawn before one was chosen: candidates, then repairs.
    """

    target: str = ""
    code: str = ""
    model: str = ""
    confidence: float | None = None
    finish_reason: str = ""
    warnings: list[str] = field(default_factory=list)
    timings: dict[str, float | None] = field(default_factory=dict)
    tried: list[Drawn] = field(default_factory=list)
    similarity: Similarity | None = None
    lines: list[TextLine] = field(default_factory=list)
    out: Path | None = None
    preview: Path | None = None
    failure: VisCodexError | None = None  # of the preview: the code is there all the same

    def to_json(self) -> dict[str, Any]:
        """The object that `convert --json` prints."""
        fields: dict[str, Any] = {
            "code": self.code,
            "target": self.target,
            "confidence": self.confidence,
            "model": self.model,
            "timings": self.timings,
            "finish_reason": self.finish_reason,
            "similarity": None if self.similarity is None else asdict(self.similarity),
            "tried": [
                {
                    "similarity": None if one.likeness is None else one.likeness.total,
                    "problem": None if one.problem is None else one.problem.message,
                    "chosen": one.code == self.code,
                }
                for one in self.tried
            ],
            "warnings": self.warnings,
            "out": None if self.out is None else str(self.out),
            "preview": None if self.preview is None else str(self.preview),
            "preview_error": None if self.failure is None else self.failure.message,
        }
        if self.target == "text":
            fields["lines"] = [asdict(line) for line in self.lines]
        return fields


class Progress(StatusLine):
    """Says what a conversion does."""

    def __init__(self) -> None:
        super().__init__()
        self._tokens = 0

    def show(self, event: protocol.Event) -> None:
        """Put an event of the engine into words."""
        if isinstance(event, protocol.Loading):
            self.say(f"loading the model, {event.fraction:.0%}")
        elif isinstance(event, protocol.TextRead):
            self.say(f"{len(event.lines)} lines of text read")
        elif isinstance(event, protocol.Encoding):
            self.say(f"looking at the picture, {event.fraction:.0%}")
        elif isinstance(event, protocol.Prefilling):
            self.say(f"reading the prompt, {event.fraction:.0%}")
        elif isinstance(event, protocol.Token):
            self._tokens += 1
            self.say(f"writing, {self._tokens} tokens")
        elif isinstance(event, protocol.Comparing):
            self.say(f"comparing {event.candidate + 1} of {event.total}")


def run(job: Job) -> Outcome:
    """Do a job and write the files it names.

    Raises:
        VisCodexError: whatever is wrong with the picture, the model or the answer. A preview that
            fails costs no code: it is the outcome's `failure`. No file is ever left half done.
        KeyboardInterrupt: after the engine has been stopped.
    """
    loaded = read_picture(job.image)  # one that cannot be read is told before anything starts
    if job.out is not None:
        check_writable(job.out, folder_will_do=True)
    if job.preview is not None:
        check_writable(job.preview)
    with Progress() as progress, _client(job) as client:
        if job.target == "text":
            return _noting(loaded, _read_text(job, client))
        with Improver(client, job.wishes(client.best_of)) as improver:
            improver.warm_up()  # while the model is loaded
            outcome, answer = _listen(job, improver, progress)
        outcome.model = client.model_name
        outcome.tried = improver.tried
        if improver.chosen is None:
            TASKS[outcome.target].extract(answer)  # tells why
        else:
            _take(improver.chosen, outcome, job)
        return _noting(loaded, outcome)


def _noting(loaded: Loaded, outcome: Outcome) -> Outcome:
    """The outcome, with a word on a picture that was made smaller."""
    if loaded.full is not None:
        across, down = loaded.full
        size = f"{loaded.image.width} x {loaded.image.height}"
        text = f"The picture was made smaller: from {across} x {down} to {size} pixels."
        outcome.warnings.insert(0, text)
    return outcome


def _take(chosen: Drawn, outcome: Outcome, job: Job) -> None:
    """Fill the outcome from the code that was chosen, and write the files."""
    task = TASKS[chosen.target]
    outcome.code = chosen.code
    problem = task.check(chosen.code)
    if problem and task.name == "html":  # nothing of a page is there, not even a wrong one
        raise VisCodexError(ErrorCode.no_code, problem, "Try again with another --seed or model.")
    if problem:
        outcome.warnings.append(f"The code does not parse. {problem}")
    elif chosen.problem is not None and job.preview is None:
        outcome.warnings.append(chosen.problem.message)
    if outcome.finish_reason in UNFINISHED:
        outcome.warnings.append(UNFINISHED[outcome.finish_reason])
    outcome.similarity = chosen.likeness
    if job.out is not None:
        outcome.out = _place(job.out, job.image, outcome.target)
        write_whole(outcome.out, outcome.code.encode())
    if job.preview is not None:
        outcome.failure = chosen.problem
        if chosen.png is not None:
            write_whole(job.preview, chosen.png)
            outcome.preview = job.preview


def _client(job: Job) -> Client:
    """Whoever does the work. A server that is not needed is not asked either."""
    if job.target == "text":
        return EngineClient()
    if job.server is None:
        return EngineClient(find_model(job.model or BUNDLED, job.mmproj))
    from engine.remote.client import RemoteClient
    from engine.remote.server import Server, find_key

    return RemoteClient(Server.at(job.server, find_key(job.server)), job.model)


def _place(out: Path, image: Path, target: str) -> Path:
    """A folder stands for a file in it, named after the picture."""
    return out / f"{image.stem}{TASKS[target].suffix}" if out.is_dir() else out


def _read_text(job: Job, client: Client) -> Outcome:
    start = time.perf_counter()
    lines = client.read_text(job.image)
    outcome = Outcome("text", "".join(f"{line.text}\n" for line in lines), lines=lines)
    outcome.timings = {"total": round(time.perf_counter() - start, 3)}
    outcome.finish_reason = "read"
    if job.out is not None:
        outcome.out = job.out / f"{job.image.stem}.txt" if job.out.is_dir() else job.out
        write_whole(outcome.out, outcome.code.encode())
    return outcome


def _listen(job: Job, improver: Improver, progress: Progress) -> tuple[Outcome, str]:
    """Convert; an outcome without code, and the answer as it was shown. Raises VisCodexError."""
    outcome, answer = Outcome(target="" if job.target == "auto" else job.target), ""
    began = time.perf_counter()
    for event in improver.convert(job.request()):
        progress.show(event)
        if isinstance(event, protocol.TextRead):
            outcome.lines = outcome.lines or event.lines
        elif isinstance(event, protocol.Target):
            outcome.target = event.name
            if event.confidence is not None:
                outcome.confidence = round(event.confidence, 4)
        elif isinstance(event, protocol.Notice):
            if event.message not in outcome.warnings:
                outcome.warnings.append(event.message)
        elif isinstance(event, protocol.Token):
            answer += event.text if event.candidate == 0 else ""
        elif isinstance(event, protocol.Revised):
            answer = event.answer
        elif isinstance(event, protocol.Done):
            outcome.finish_reason = event.reason
            outcome.target = event.stats.get("target", outcome.target)
            outcome.timings = {name: event.stats.get(name) for name in TIMINGS}
            left_out = event.stats.get("hints_left_out", 0)
            if left_out:
                outcome.warnings.append(f"The lowest {left_out} lines of text did not fit.")
        elif isinstance(event, protocol.Error):
            raise event.exception()
        elif isinstance(event, protocol.Cancelled):
            raise VisCodexError(ErrorCode.cancelled, "The conversion was cancelled.")
    # All that was waited for: drawing and choosing too.
    load = outcome.timings.get("load") or 0.0
    outcome.timings["total"] = round(time.perf_counter() - began - load, 4)
    return outcome, answer
