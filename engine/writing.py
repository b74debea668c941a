"""Draws answers to a prefilled prompt, one or several at once, until each is complete."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.llama.answer import Answer
from engine.llama.branches import Branches
from engine.llama.draft import Draft
from engine.llama.grammar import NOTHING_FITS
from engine.llama.sampling import Sampler, Sampling
from engine.llama.session import VisionSession

OnText = Callable[[int, str], None]


@dataclass
class _Writer:
    """One answer on its branch: what was decoded last, and what its rows say comes next."""

    number: int
    answer: Answer
    sampler: Sampler
    draft: Draft | None
    rows: Sequence[int] = (-1,)  # rows of the last pass; at first the prompt's own last one
    guessed: list[int] = field(default_factory=list)

    def advance(self, session: VisionSession, branches: Branches, on_text: OnText) -> int | None:
        """Draw tokens as far as the rows reach; the last one, or None where the answer is complete.

        Every token is drawn from the model's own logits. A guess only means that the row behind it
        is there already; from the first wrong guess on, rows are thrown away.
        """
        vocabulary = session.vocabulary
        kept = branches.length(self.number) - len(self.guessed)
        token = -1
        for place, row in enumerate(self.rows):
            token = session.draw(self.sampler, row)
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


def write(
    session: VisionSession,
    samplings: Sequence[Sampling],
    opening: str,
    longest: int,
    *,
    old: Sequence[int] | None,
    on_text: OnText,
    on_step: Callable[[], None],
    on_end: Callable[[int, str], None],
) -> list[Answer]:
    """Write one answer for each of `samplings`, all in the same passes over the weights.

    `opening` is the part of the answer that stands in the prompt, `longest` the most tokens of
    each. `old` are the tokens of code that an answer probably repeats (None: no guessing).
    `on_text` hears (number, text), `on_end` (number, reason), `on_step` is called before each pass
    and may raise. Raises VisCodexError: context_full, cancelled.
    """
    guessing = old is not None and session.can_rewind
    writers: list[_Writer] = []
    try:
        for number, sampling in enumerate(samplings):
            draft = Draft(old) if guessing and old is not None else None
            sampler = session.sampler(sampling)
            writers.append(_Writer(number, Answer(opening, longest), sampler, draft))
        with Branches(session, len(writers)) as branches:
            live = list(writers)
            while live:
                on_step()
                added: dict[int, list[int]] = {}
                for writer in live:
                    token = writer.advance(session, branches, on_text)
                    if token is None:
                        branches.rewind(writer.number, 0)
                        on_end(writer.number, writer.answer.reason)
                    else:
                        added[writer.number] = [token]
                live = [writer for writer in live if writer.number in added]
                room = branches.free_cells - len(live)
                for writer in live:
                    left = longest - writer.answer.tokens - 1
                    writer.guessed = []
                    if writer.draft is not None:
                        writer.guessed = writer.draft.guess(max(0, min(room // len(live), left)))
                        added[writer.number] += writer.guessed
                found = branches.extend(added) if added else {}
                for writer in live:
                    writer.rows = found[writer.number]
    finally:
        for writer in writers:
            writer.sampler.close()
    return [writer.answer for writer in writers]
