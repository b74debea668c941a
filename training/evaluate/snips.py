"""Runs a model over pictures through the engine and scores what comes back by rendering it.

The same for generated pictures held out of training and for real snips: does the answer parse and
render without an error, does it hold the words, and how alike are the two pictures, beside the
likeness of a blank page and of another picture of the set.
"""

from __future__ import annotations

import io
import json
import os
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from PIL import Image

from engine.client import EngineClient
from engine.compare import similarity
from engine.errors import VisCodexError
from engine.improver import Improver, Wishes
from engine.models.store import ModelFiles
from engine.protocol import ConvertRequest, Done, Error, Revised, Target, Token
from engine.render.drawing import Drawer
from engine.tasks import TASKS, extract_code


@dataclass(frozen=True)
class Snip:
    """A picture with the target wanted and the words it shows (None: not known)."""

    id: str
    target: str
    picture: Image.Image
    words: tuple[str, ...] | None


@dataclass(frozen=True)
class Score:
    """What came of one snip. `error` is None where the answer parsed and rendered."""

    id: str
    target: str
    chosen: str
    seconds: float
    tokens: int
    reason: str
    error: str | None
    word_recall: float | None
    similarity: float
    blank: float
    other: float
    code: str


_WORD = re.compile(r"\w+")


def words_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Words of some texts, lower case, in order."""
    return tuple(word for text in texts for word in _WORD.findall(text.lower()))


def word_recall(wanted: Sequence[str], found: Sequence[str]) -> float:
    """Share of the wanted words, each as often as it stands there, that are among the found."""
    have = Counter(found)
    hits = sum(min(count, have[word]) for word, count in Counter(wanted).items())
    return hits / len(wanted)


class Scorer:
    """Holds engine and renderers for a run over many snips; converts as the application does."""

    def __init__(self, model: ModelFiles, wishes: Wishes) -> None:
        self.client = EngineClient(model)
        self.improver = Improver(self.client, wishes)
        self.drawer = Drawer()

    def __enter__(self) -> Scorer:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.client.close()
        self.improver.close()
        self.drawer.close()

    def answer(self, snip: Snip, target: str, max_tokens: int) -> tuple[str, str, Done]:
        """Convert a snip; returns (target of the code, answer, final event)."""
        out = io.BytesIO()
        snip.picture.save(out, "PNG")
        request = ConvertRequest(out.getvalue(), target, "always", max_tokens, 0, 0.0)
        answer, chosen = "", target
        for event in self.improver.convert(request):
            if isinstance(event, Token):
                answer += event.text if event.candidate == 0 else ""
            elif isinstance(event, Revised):
                answer = event.answer
            elif isinstance(event, Target):
                chosen = event.name
            elif isinstance(event, Error):
                raise event.exception()
            elif isinstance(event, Done):
                return chosen, answer, event
        raise RuntimeError("the engine's events ended without a final one")

    def render(
        self, code: str, target: str, size: tuple[int, int]
    ) -> tuple[Image.Image, list[str]]:
        """Draw code at the width of the snip; returns the picture and the texts in it."""
        drawing = self.drawer.draw(code, target, (size[0], None))
        picture = Image.open(io.BytesIO(drawing.png)).convert("RGB")
        return picture, [line.text for line in drawing.texts]

    def score(self, snip: Snip, other: Image.Image, *, auto: bool, max_tokens: int) -> Score:
        """Convert, render and compare one snip."""
        began = time.perf_counter()
        blank = Image.new("RGB", snip.picture.size, "white")
        base = Score(
            snip.id,
            snip.target,
            snip.target,
            0.0,
            0,
            "failed",
            None,
            None if snip.words is None else 0.0,
            0.0,
            similarity(snip.picture, blank).total,
            similarity(snip.picture, other).total,
            "",
        )
        try:
            chosen, answer, done = self.answer(snip, "auto" if auto else snip.target, max_tokens)
        except VisCodexError as error:
            return replace(base, error=error.message, seconds=time.perf_counter() - began)
        base = replace(
            base,
            chosen=chosen,
            seconds=time.perf_counter() - began,
            tokens=int(done.stats.get("tokens", 0)),
            reason=done.reason,
            code=answer,
        )
        try:
            code = extract_code(answer, TASKS[chosen])
            picture, texts = self.render(code, chosen, snip.picture.size)
        except VisCodexError as error:
            return replace(base, error=error.message[:200])
        recall = None if not snip.words else word_recall(snip.words, words_of(texts))
        return replace(
            base,
            code=code,
            word_recall=recall,
            similarity=similarity(snip.picture, picture).total,
        )


def summary(scores: Sequence[Score]) -> dict[str, float | None]:
    """Means over a set of scores; shares and likenesses 0..1.

    `word_recall` is that of the snips whose words are known, None where there are none.
    """
    recalls = [s.word_recall for s in scores if s.word_recall is not None]
    return {
        "snips": len(scores),
        "rendered": statistics.fmean(s.error is None for s in scores),
        "word_recall": statistics.fmean(recalls) if recalls else None,
        "similarity": statistics.fmean(s.similarity for s in scores),
        "blank": statistics.fmean(s.blank for s in scores),
        "other": statistics.fmean(s.other for s in scores),
        "target_right": statistics.fmean(s.chosen == s.target for s in scores),
        "cut_off": statistics.fmean(s.reason in ("length", "loop") for s in scores),
        "tokens": statistics.fmean(s.tokens for s in scores),
        "seconds": statistics.median(s.seconds for s in scores),
    }


def measure(
    model: ModelFiles,
    snips: Sequence[Snip],
    *,
    wishes: Wishes | None = None,
    auto: bool = False,
    max_tokens: int = 1200,
    report: Callable[[str], None] = print,
    known: Mapping[str, Score] | None = None,
    done: Callable[[Score], None] = lambda score: None,
) -> list[Score]:
    """Score all snips; `wishes` by default those of the application for this model.

    The likeness to another picture takes the next one of the same target. Scores that are `known`
    by the snip's id are taken over; each new one is given to `done`.
    """
    scores = []
    known = known or {}
    with Scorer(model, wishes or Wishes(best_of=model.card.best_of)) as scorer:
        for number, snip in enumerate(snips):
            if snip.id in known:
                scores.append(known[snip.id])
                continue
            later = [*snips[number + 1 :], *snips[:number]]
            other = next((s.picture for s in later if s.target == snip.target), snip.picture)
            score = scorer.score(snip, other, auto=auto, max_tokens=max_tokens)
            scores.append(score)
            done(score)
            report(
                f"{number + 1}/{len(snips)} {snip.id}: similarity {score.similarity:.2f}, "
                f"words {-1 if score.word_recall is None else score.word_recall:.2f}, "
                f"{score.seconds:.1f} s, {score.error or score.reason}"
            )
    return scores


def summaries_of(scores: Sequence[Score]) -> dict[str, dict[str, float | None]]:
    """Summaries of all and by target."""
    groups = {"all": list(scores)}
    for score in scores:
        groups.setdefault(score.target, []).append(score)
    return {name: summary(group) for name, group in groups.items()}


def save_scores(path: Path, scores: Sequence[Score]) -> None:
    """One JSON object: summaries (all, by target) and every score."""
    data = {
        "summary": summaries_of(scores),
        "scores": [asdict(score) for score in scores],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    os.replace(part, path)


def held_out_snips(count: int) -> list[Snip]:
    """Generated pictures whose numbers are never trained on, a tenth of their words neither."""
    from training.nano.build import held_out_samples

    snips = []
    for sample in held_out_samples(count):
        target = "html" if sample.kind == "html" else "matplotlib"
        words = words_of([line.text for line in sample.lines])
        snips.append(Snip(sample.id, target, sample.picture(), words or None))
    return snips


def real_snips(folder: Path) -> list[Snip]:
    """Real crops: `pages/<id>.png` with `<id>.json`, `charts/<id>.png` with `<id>.py`."""
    snips = []
    for path in sorted((folder / "pages").glob("*.png")):
        truth = json.loads(path.with_suffix(".json").read_text())
        texts = truth["text"] if isinstance(truth["text"], list) else [str(truth["text"])]
        picture = Image.open(path).convert("RGB")
        snips.append(Snip(path.stem, "html", picture, words_of([str(t) for t in texts]) or None))
    for path in sorted((folder / "charts").glob("*.png")):
        snips.append(Snip(path.stem, "matplotlib", Image.open(path).convert("RGB"), None))
    return snips
