"""Draws answers to a prefilled prompt, one or several at once, until each is complete."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from engine.llama.answer import Answer
from engine.llama.branches import Branches
from engine.llama.draft import Draft
from engine.llama.grammar import NOTHING_FITS
from engine.llama.sampling import Sampler, Sampling
from engine.llama.session import VisionSession
from engine.llama.vocabulary import Vocabulary

OnText = Callable[[int, str], None]
OnEnd = Callable[[int, str], None]
Draw = Callable[[Sampler, int], int]


@dataclass
class _Writer:
    """One answer on its branch: what was decoded last, and what its rows say comes next."""

    number: int
    answer: Answer
    sampler: Sampler
    draft: Draft | None
    rows: Sequence[int] = (-1,)  # rows of the last pass; at first the prompt's own last one
    guessed: list[int] = field(default_factory=list)

    def advance(
        self, draw: Draw, vocabulary: Vocabulary, branches: Branches, on_text: OnText
    ) -> int | None:
        """Draw tokens as far as the rows reach; the last one, or None where the answer is complete.

        Every token is drawn from the model's own logits. A guess only means that the row behind it
        is there already; from the first wrong guess on, rows are thrown away.
        """
        kept = branches.length(self.number) - len(self.guessed)
        token = -1
        for place, row in enumerate(self.rows):
            token = draw(self.sampler, row)
            if token == NOTHING_FITS:
                text = self.answer.end("grammar")
            elif vocabulary.ends(token):
                text = self.answer.end("stop")
            else:
                text = self.answer.take(token, vocabulary.piece(token))
                if self.answer.complete:
                    text += self.answer.end(self.answer.reason)
                elif self.draft is not None:
                    self.draft.take(token)
            if text:
                on_text(self.number, text)
            if self.answer.complete:
                return None
            if place == len(self.guessed) or token != self.guessed[place]:
                if place < len(self.guessed):
                    branches.rewind(self.number, kept + place)
                break
        return token


class _Group:
    """Answers that are written in the same passes."""

    def __init__(
        self,
        branches: Branches,
        writers: Sequence[_Writer],
        vocabulary: Vocabulary,
        on_text: OnText,
        on_end: OnEnd,
    ) -> None:
        self._branches = branches
        self._live = list(writers)
        self._vocabulary = vocabulary
        self._on_text, self._on_end = on_text, on_end
        self._added: dict[int, list[int]] = {}

    def draw(self, draw: Draw) -> None:
        """Draw what the last pass allows; answers that are complete leave the group."""
        added: dict[int, list[int]] = {}
        for writer in self._live:
            token = writer.advance(draw, self._vocabulary, self._branches, self._on_text)
            if token is None:
                self._branches.rewind(writer.number, 0)
                self._on_end(writer.number, writer.answer.reason)
            else:
                added[writer.number] = [token]
        self._live = [writer for writer in self._live if writer.number in added]
        self._added = added

    def run(self, on_step: Callable[[], None]) -> None:
        """Write on until all are complete."""
        while self._live:
            on_step()
            self._guess()
            found = self._branches.extend(self._added)
            for writer in self._live:
                writer.rows = found[writer.number]
            self.draw(self._branches.draw)

    def _guess(self) -> None:
        room = (self._branches.free_cells - len(self._live)) // len(self._live)
        for writer in self._live:
            left = writer.answer.longest - writer.answer.tokens - 1
            writer.guessed = []
            if writer.draft is not None:
                writer.guessed = writer.draft.guess(max(0, min(room, left)))
                self._added[writer.number] += writer.guessed


def write(
    session: VisionSession,
    samplings: Sequence[Sampling],
    opening: str,
    longest: int,
    *,
    old: Sequence[int] | None,
    on_text: OnText,
    on_step: Callable[[], None],
    on_end: OnEnd,
) -> list[Answer]:
    """Write one answer for each of `samplings`, in the lanes that the session has for them.

    `opening` is the part of the answer that stands in the prompt, `longest` the most tokens of
    each. `old` are the tokens of code that an answer probably repeats (None: no guessing).
    `on_text` hears (number, text), `on_end` (number, reason), `on_step` is called before each pass
    and may raise; with several lanes they are called from several threads. Raises VisCodexError:
    context_full, cancelled, out_of_memory.
    """
    guessing = old is not None and session.can_rewind
    writers: list[_Writer] = []
    with ExitStack() as stack:
        for number, sampling in enumerate(samplings):
            draft = Draft(old) if guessing and old is not None else None
            sampler = session.sampler(sampling)
            stack.callback(sampler.close)
            writers.append(_Writer(number, Answer(opening, longest), sampler, draft))
        lanes = session.lanes(len(writers))
        session.writing(True)
        stack.callback(session.writing, False)
        groups = []
        for place, lane in enumerate(lanes):
            mine = writers[place :: len(lanes)]
            numbers = [writer.number for writer in mine]
            branches = stack.enter_context(Branches(session, lane, numbers))
            groups.append(_Group(branches, mine, session.vocabulary, on_text, on_end))
        on_step()
        for group in groups:  # the first tokens of all follow the prompt, whose logits are in main
            group.draw(session.main.draw)
        _run(groups, on_step)
    return [writer.answer for writer in writers]


def _run(groups: Sequence[_Group], on_step: Callable[[], None]) -> None:
    """Run the groups at the same time, the first one on this thread; what fails ends all."""
    failed = threading.Event()

    def step() -> None:
        if failed.is_set():
            raise _OtherFailed
        on_step()

    def run(group: _Group) -> None:
        try:
            group.run(step)
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(max(1, len(groups) - 1), thread_name_prefix="lane") as pool:
        others = [pool.submit(run, group) for group in groups[1:]]
        problems: list[BaseException | None] = [None]
        try:
            run(groups[0])
        except BaseException as error:
            problems[0] = error
    problems += [other.exception() for other in others]
    met = [problem for problem in problems if problem is not None]
    if met:
        raise next((one for one in met if not isinstance(one, _OtherFailed)), met[0])


class _OtherFailed(Exception):
    """Another group has failed and tells why."""
