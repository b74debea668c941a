"""The words in code, corrected by the lines that were read in the picture. No model is asked."""

from __future__ import annotations

import contextlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence

from PIL import Image

from engine.errors import ErrorCode, VisCodexError
from engine.improve import EQUAL, Drawn
from engine.matching.scene import Scene
from engine.matching.text.chart import bind_chart, chart_passages, marked
from engine.matching.text.flows import Flow, flows_of
from engine.matching.text.page import bind_page, page_passages
from engine.matching.text.pairs import pair
from engine.matching.text.passages import Edit, Passage, rewritten
from engine.matching.text.rewording import replaced, reworded
from engine.render.drawing import Drawing

ROUNDS = 2  # corrected words bring others to their places
DRAWINGS = 10  # in all
OUTRIGHT = 0.95  # confidence of a line that takes the place of another text
CASED_BY_STYLE = ("text-transform", "font-variant")
Edits = Mapping[Passage, Sequence[Edit]]


def match_words(code: str, scene: Scene) -> str:
    """`code` with its words as they were read in the picture of `scene`, or the same code.

    Only texts that are drawn change, and only where the drawing is then not less like the picture
    (where the words are certain, by no more than counts as equal).
    Lines of no drawn text are not added. Raises VisCodexError(cancelled) alone.
    """
    try:
        return _Search(scene).best_of(code)
    except VisCodexError as error:
        if error.code is ErrorCode.cancelled:
            raise
        return code


class _Search:
    """Edits code in rounds, as long as drawings are left."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._left = DRAWINGS
        self._first = 0.0  # likeness of the code as it was given

    def best_of(self, code: str) -> str:
        """Raises VisCodexError where the code does not draw."""
        best = self._judged(code)
        assert best.likeness is not None
        self._first = best.likeness.total
        for _ in range(ROUNDS):
            found = self._round(best)
            if found is best:
                break
            best = found
        return best.code

    def _judged(self, code: str) -> Drawn:
        self._left -= 1
        found = self._scene.judge(code)
        if found.problem is not None:
            raise found.problem
        return found

    def _drawn(self, code: str) -> Drawing:
        self._left -= 1
        return self._scene.draw(code)

    def _round(self, old: Drawn) -> Drawn:
        """With all edits if that is no worse, or else those that do no harm, taken in turn."""
        certain, doubtful = self._edits(old.code)
        everything = [*certain, *doubtful]
        found = self._no_worse(old, old.code, everything, 0.0 if doubtful else EQUAL)
        if found is not None or len(everything) < 2:
            return found or old
        best, kept = old, list[Edits]()
        if doubtful and (found := self._no_worse(old, old.code, certain, EQUAL)):
            best, kept = found, certain
        for one in everything:
            if one not in kept:
                found = self._no_worse(best, old.code, [*kept, one], EQUAL * (one in certain))
                if found is not None:
                    best, kept = found, [*kept, one]
        return best

    def _no_worse(self, old: Drawn, code: str, ways: Sequence[Edits], noise: float) -> Drawn | None:
        """`code` edited, or None where that changes nothing, does not draw or is less alike.

        `noise` is how much less counts as equal: a capital more or less is nothing to the words
        of a likeness, and what it does to the pixels is chance. It does not add up.
        """
        edits: dict[Passage, Sequence[Edit]] = {}
        for way in ways:
            edits.update(way)
        new = rewritten(code, edits)
        if new == code or self._left < 1:
            return None
        try:
            found = self._judged(new)
        except VisCodexError as error:
            if error.code is ErrorCode.cancelled:
                raise
            return None
        assert found.likeness is not None and old.likeness is not None
        least = min(old.likeness.total, max(old.likeness.total, self._first) - noise)
        return found if found.likeness.total >= least else None

    def _edits(self, code: str) -> tuple[list[Edits], list[Edits]]:
        """Edits that stand on alike texts, and those that stand on the place alone."""
        scene = self._scene
        if self._left < 2:
            return [], []
        flows = self._flows(code)
        lines = [line for line in scene.lines if line.text.strip()]
        found = pair(flows, lines, scene.picture.size)
        case = not any(style in code for style in CASED_BY_STYLE)
        moved = {one.flow for circle in found.moved for one in circle}
        counts = Counter(flow.passage for flow in flows)
        votes: dict[Passage, list[tuple[list[Edit], bool]]] = {}
        for one in found.same:
            if one.flow in moved:
                continue
            edits = reworded(
                one.flow, one.run.lines, case=case, spare=found.spare, loose=found.loose
            )
            for passage in dict.fromkeys(slot.passage for slot in one.flow.slots):
                if passage is None:
                    continue
                votes.setdefault(passage, []).append((edits.get(passage, []), one.certain))
        certain: list[Edits] = []
        doubtful: list[Edits] = []
        for passage, cast in votes.items():
            edit = cast[0][0]
            if edit and all(other == edit for other, _ in cast):
                (certain if all(sure for _, sure in cast) else doubtful).append({passage: edit})
        for circle in [*([one] for one in found.other), *found.moved]:
            outright: dict[Passage, list[Edit]] = {}
            for one in circle:
                if one.flow.passage is None or counts[one.flow.passage] > 1:
                    continue  # what the others say is not known
                if one.run.confidence >= OUTRIGHT:
                    outright.update(replaced(one.flow, one.run.text))
            if len(outright) == len(circle) and votes.keys().isdisjoint(outright):
                doubtful.append(outright)
        return certain, doubtful

    def _flows(self, code: str) -> list[Flow]:
        scene, drawing = self._scene, self._drawn(code)
        if scene.target == "html":
            return flows_of(bind_page(page_passages(code), drawing.texts), (1.0, 1.0))
        passages = chart_passages(code, drawing.texts)
        seen = None
        with_marks = marked(code, passages)
        if with_marks is not None and self._left > 1:
            with contextlib.suppress(VisCodexError):
                seen = self._drawn(with_marks).texts
        size = Image.open(io.BytesIO(drawing.png)).size
        scale = (scene.picture.width / size[0], scene.picture.height / size[1])
        return flows_of(bind_chart(passages, drawing.texts, seen), scale)
