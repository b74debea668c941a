"""The text reader: rapidocr on onnxruntime, loaded at the first picture."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from engine.contrast import strengthen

Box = tuple[float, float, float, float]
PADDING = 32  # text that touches the edge of a picture is missed without a margin
LONGEST_SIDE = 2000
# Smaller pictures are enlarged to this before lines are looked for. On 40 crops of real pages 736
# (the reader's own) and 480 find the same 0.916 of the words; 480 takes 0.6 of the time.
SHORTEST_SIDE = 480
MIN_CONFIDENCE = 0.5
TALL = 1.5  # a box this much higher than wide may hold text that runs upwards


@dataclass(frozen=True)
class Reading:
    """A line as read: text, box (x0, y0, x1, y1 in px), confidence 0..1, its words with boxes."""

    text: str
    box: Box
    confidence: float
    words: tuple[tuple[str, Box], ...] = ()


@lru_cache(maxsize=1)
def _engine() -> Any:
    from rapidocr import RapidOCR

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_cls": False,
            "Det.limit_side_len": SHORTEST_SIDE,
            # Its threads spin while they wait, and the vision encoder works at the same time.
            "EngineConfig.onnxruntime.intra_op_num_threads": max(1, min(4, (cores or 1) // 2)),
        }
    )


def _box(corners: Any, offset: float, scale: float, size: tuple[int, int]) -> Box:
    """Upright box around corner points, moved by -offset, within `size`, divided by `scale`."""
    points = np.asarray(corners, float) - offset
    limits = np.asarray(size, float)
    (x0, y0), (x1, y1) = np.clip(points.min(0), 0, limits), np.clip(points.max(0), 0, limits)
    return (float(x0) / scale, float(y0) / scale, float(x1) / scale, float(y1) / scale)


def _recognise(picture: Image.Image, words: bool = False) -> list[tuple[str, Any, float, Any]]:
    """Text, corner points, score and word results of every line in `picture`."""
    array = np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])
    # The reader keeps what it is told for the next call, so every call tells all.
    result = _engine()(array, use_det=True, return_word_box=words)
    if result is None or result.boxes is None:
        return []
    parts = result.word_results if words else None
    if parts is None or len(parts) != len(result.txts):
        parts = [()] * len(result.txts)
    return list(zip(result.txts, result.boxes, result.scores, parts, strict=True))


def _recognise_line(picture: Image.Image) -> tuple[str, float]:
    """Read a picture that is one line of text, without looking for lines in it."""
    array = np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])
    result = _engine()(array, use_det=False, return_word_box=False)
    if result is None or not result.txts:
        return "", 0.0
    return str(result.txts[0]), float(result.scores[0])


def _words(parts: Any, scale: float, size: tuple[int, int]) -> tuple[tuple[str, Box], ...]:
    """Words of a line with their boxes; none where the reader could not part them."""
    try:
        return tuple((str(w[0]), _box(w[2], PADDING, scale, size)) for w in parts)
    except (IndexError, TypeError, ValueError):
        return ()


def _padded(picture: Image.Image) -> Image.Image:
    """With a margin in the colour of its first pixel."""
    fill: Any = picture.getpixel((0, 0))
    return ImageOps.expand(picture, PADDING, fill=fill)


def warm_up() -> None:
    """Load the reader ahead of the first picture."""
    _engine()


def read_boxes(picture: Image.Image) -> list[Reading]:
    """Read every line of text in an RGB picture; boxes in pixels of `picture`."""
    shrink = min(1.0, LONGEST_SIDE / max(picture.size))
    small = picture
    if shrink < 1:
        small = picture.resize(
            (max(1, round(picture.width * shrink)), max(1, round(picture.height * shrink))),
            Image.Resampling.LANCZOS,
        )
    small = strengthen(small)
    padded = _padded(small)
    readings = []
    for text, corners, score, words in _recognise(padded, words=True):
        box = _box(corners, PADDING, 1.0, small.size)
        wide, high = box[2] - box[0], box[3] - box[1]
        parts = _words(words, shrink, small.size)
        if high > 3 * wide or (high > TALL * wide and len(text) > 1):
            text, score = _upright(small, box, text, float(score))
            parts = ()
        if float(score) >= MIN_CONFIDENCE and text.strip():
            place = _box(corners, PADDING, shrink, small.size)
            readings.append(Reading(text.strip(), place, float(score), parts))
    return readings


def _upright(picture: Image.Image, box: Box, text: str, score: float) -> tuple[str, float]:
    """Read a tall box again turned by 90 degrees either way; the most confident reading counts."""
    margin = 4
    crop = picture.crop(
        (
            max(0, int(box[0]) - margin),
            max(0, int(box[1]) - margin),
            min(picture.width, int(box[2]) + margin),
            min(picture.height, int(box[3]) + margin),
        )
    )
    best = (text, score)
    for turn in (Image.Transpose.ROTATE_270, Image.Transpose.ROTATE_90):
        words, confidence = _recognise_line(crop.transpose(turn))
        if confidence > best[1] + 0.02 or len(words) > 2 * len(best[0]):
            best = (words, confidence)
    return best
