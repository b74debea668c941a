"""The text reader: rapidocr on onnxruntime, loaded at the first picture."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageOps

Box = tuple[float, float, float, float]
PADDING = 32  # text that touches the edge of a picture is missed without a margin
LONGEST_SIDE = 2000
MIN_CONFIDENCE = 0.5
TALL = 1.5  # a box this much higher than wide may hold text that runs upwards


@lru_cache(maxsize=1)
def _engine() -> Any:
    from rapidocr import RapidOCR

    threads = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
    return RapidOCR(
        params={
            "Global.log_level": "error",
            "Global.use_cls": False,
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
        }
    )


def _recognise(picture: Image.Image) -> list[tuple[str, Any, float]]:
    array = np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])
    result = _engine()(array)
    if result is None or result.boxes is None:
        return []
    return list(zip(result.txts, result.boxes, result.scores, strict=True))


def read_boxes(picture: Image.Image) -> list[tuple[str, Box, float]]:
    """Text, box (x0, y0, x1, y1 in pixels of `picture`) and confidence of every line."""
    shrink = min(1.0, LONGEST_SIDE / max(picture.size))
    small = picture
    if shrink < 1:
        small = picture.resize(
            (max(1, round(picture.width * shrink)), max(1, round(picture.height * shrink))),
            Image.Resampling.LANCZOS,
        )
    edge = small.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    corner = small.getpixel((0, 0))
    padded = ImageOps.expand(small, PADDING, fill=corner if corner is not None else edge)
    lines = []
    for text, corners, score in _recognise(padded):
        points = np.asarray(corners, float) - PADDING
        x0, y0 = points.min(0)
        x1, y1 = points.max(0)
        if y1 - y0 > TALL * (x1 - x0) and len(text) > 1 or y1 - y0 > 3 * (x1 - x0):
            text, score = _upright(small, (x0, y0, x1, y1), text, float(score))
        if float(score) < MIN_CONFIDENCE or not text.strip():
            continue
        box = tuple(float(np.clip(v, 0, m)) / shrink for v, m in zip(
            (x0, y0, x1, y1), (small.width, small.height) * 2, strict=True))
        lines.append((text.strip(), (box[0], box[1], box[2], box[3]), float(score)))
    return lines


def _upright(
    picture: Image.Image, box: Box, text: str, score: float
) -> tuple[str, float]:
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
        turned = ImageOps.expand(crop.transpose(turn), PADDING, fill=crop.getpixel((0, 0)))
        found = _recognise(turned)
        if found:
            words = " ".join(item[0] for item in found)
            confidence = float(np.mean([item[2] for item in found]))
            if confidence > best[1] + 0.02 or len(words) > 2 * len(best[0]):
                best = (words, confidence)
    return best
