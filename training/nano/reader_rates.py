"""How often the reader errs on generated pictures, and how: the rates behind `ReaderNoise`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from engine.hints import Box, TextLine, read
from training.nano.records import Sample

SAME_PLACE = 0.5  # intersection over union of two boxes that are one line
JITTER_PX = 0.5


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    both = wide * high
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def errors(true: list[TextLine], seen: list[TextLine]) -> Counter[str]:
    """Count lines and the reader's errors among them (names as in `ReaderNoise`)."""
    counts: Counter[str] = Counter(lines=len(true), extra=len(seen))
    for line in true:
        best = max(seen, key=lambda other: overlap(line.box, other.box), default=None)
        if best is None or overlap(line.box, best.box) < SAME_PLACE:
            whole = any(line.text in other.text and line.text != other.text for other in seen)
            part = any(other.text and other.text in line.text for other in seen)
            counts["merge" if whole else "split" if part else "drop"] += 1
            continue
        counts["extra"] -= 1
        sides = [abs(a - b) for a, b in zip(line.box, best.box, strict=True)]
        counts["sides"] += sum(side > JITTER_PX for side in sides)
        counts["colour"] += max(abs(a - b) for a, b in zip(line.ink, best.ink, strict=True)) > 8
        if best.text != line.text:
            bare = best.text.lstrip("•·- ")
            if bare == line.text:
                counts["bullet"] += 1
            elif best.text.replace(" ", "") == line.text.replace(" ", ""):
                counts["lose_space"] += 1
            else:
                counts["confuse"] += 1
    return counts


def rates(samples: Iterable[Sample]) -> dict[str, float]:
    """Errors a line (`jitter`: a side of a box), over all samples."""
    total: Counter[str] = Counter()
    for sample in samples:
        total += errors(sample.lines, read(sample.picture()))
    lines = max(1, total["lines"])
    names = ("drop", "merge", "split", "confuse", "lose_space", "bullet", "colour", "extra")
    found = {name: total[name] / lines for name in names}
    return found | {"jitter": total["sides"] / (4 * lines), "lines": float(lines)}
